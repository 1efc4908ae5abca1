#include "wire.h"
#include <stdio.h>
#include <string.h>

/* LCID 0x0409, flags 0xd0 (ignore case, kana, width), sort id 52 ([MS-TDS] 2.2.5.1.2). */
const uint8_t wire_collation[5] = {0x09, 0x04, 0xd0, 0x00, 0x34};

typedef enum Form {
    FORM_SIZE,
    FORM_DECIMAL,
    FORM_PLAIN,
    FORM_SCALE,
    FORM_TEXT,
    FORM_BINARY,
    FORM_BLOB,
    FORM_XML,
    FORM_VARIANT,
    FORM_CLR
} Form;

typedef struct Token {
    uint8_t token;
    uint8_t size; /* of FORM_SIZE */
    Form form;
} Token;

static const Token tokens[] = {
    [TYPE_BIT] = {0x68, 1, FORM_SIZE},
    [TYPE_TINYINT] = {0x26, 1, FORM_SIZE},
    [TYPE_SMALLINT] = {0x26, 2, FORM_SIZE},
    [TYPE_INT] = {0x26, 4, FORM_SIZE},
    [TYPE_BIGINT] = {0x26, 8, FORM_SIZE},
    [TYPE_DECIMAL] = {0x6A, 0, FORM_DECIMAL},
    [TYPE_NUMERIC] = {0x6C, 0, FORM_DECIMAL},
    [TYPE_MONEY] = {0x6E, 8, FORM_SIZE},
    [TYPE_SMALLMONEY] = {0x6E, 4, FORM_SIZE},
    [TYPE_REAL] = {0x6D, 4, FORM_SIZE},
    [TYPE_FLOAT] = {0x6D, 8, FORM_SIZE},
    [TYPE_DATE] = {0x28, 0, FORM_PLAIN},
    [TYPE_TIME] = {0x29, 0, FORM_SCALE},
    [TYPE_DATETIME] = {0x6F, 8, FORM_SIZE},
    [TYPE_SMALLDATETIME] = {0x6F, 4, FORM_SIZE},
    [TYPE_DATETIME2] = {0x2A, 0, FORM_SCALE},
    [TYPE_DATETIMEOFFSET] = {0x2B, 0, FORM_SCALE},
    [TYPE_CHAR] = {0xAF, 0, FORM_TEXT},
    [TYPE_VARCHAR] = {0xA7, 0, FORM_TEXT},
    [TYPE_NCHAR] = {0xEF, 0, FORM_TEXT},
    [TYPE_NVARCHAR] = {0xE7, 0, FORM_TEXT},
    [TYPE_BINARY] = {0xAD, 0, FORM_BINARY},
    [TYPE_VARBINARY] = {0xA5, 0, FORM_BINARY},
    [TYPE_TEXT] = {0x23, 0, FORM_BLOB},
    [TYPE_NTEXT] = {0x63, 0, FORM_BLOB},
    [TYPE_IMAGE] = {0x22, 0, FORM_BLOB},
    [TYPE_UNIQUEIDENTIFIER] = {0x24, 16, FORM_SIZE},
    [TYPE_XML] = {0xF1, 0, FORM_XML},
    [TYPE_ROWVERSION] = {0xAD, 0, FORM_BINARY},
    [TYPE_SQL_VARIANT] = {0x62, 0, FORM_VARIANT},
    [TYPE_HIERARCHYID] = {0xF0, 0, FORM_CLR},
    [TYPE_GEOMETRY] = {0xF0, 0, FORM_CLR},
    [TYPE_GEOGRAPHY] = {0xF0, 0, FORM_CLR},
};

WireLength wire_length(const TypeInfo *type)
{
    switch (tokens[type->type].form) {
    case FORM_TEXT:
    case FORM_BINARY:
        return type->max_length < 0 ? WIRE_CHUNKED : WIRE_SHORT;
    case FORM_BLOB:
        return WIRE_POINTER;
    case FORM_XML:
    case FORM_CLR:
        return WIRE_CHUNKED;
    case FORM_VARIANT:
        return WIRE_LONG;
    default:
        return WIRE_BYTE;
    }
}

uint32_t wire_user_type(const TypeInfo *type)
{
    return type->type == TYPE_ROWVERSION ? 80 : 0;
}

static void put_number(Bytes *ret, uint64_t number, size_t size)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(number >> (8 * i));
    bytes_append(ret, bytes, size);
}

static void put_ascii(Bytes *ret, const char *text, size_t length_size)
{
    size_t length = strlen(text);

    put_number(ret, length, length_size);
    for (size_t i = 0; i < length; i++)
        put_number(ret, (uint8_t)text[i], 2);
}

/* UDT_INFO ([MS-TDS] 2.2.5.5.2): max byte size, database, schema, type, assembly qualified name. The spatial types and
 * hierarchyid live in schema sys of every database and are reported under the name of master. */
static void put_clr(const TypeInfo *type, Bytes *ret)
{
    const char *class = type->type == TYPE_HIERARCHYID ? "SqlHierarchyId"
                        : type->type == TYPE_GEOMETRY  ? "SqlGeometry"
                                                       : "SqlGeography";
    char assembly[200];

    snprintf(assembly, sizeof assembly,
             "Microsoft.SqlServer.Types.%s, Microsoft.SqlServer.Types, Version=11.0.0.0, Culture=neutral, "
             "PublicKeyToken=89845dcd8080cc91",
             class);
    put_number(ret, type->type == TYPE_HIERARCHYID ? 892 : 0xFFFF, 2);
    put_ascii(ret, "master", 1);
    put_ascii(ret, "sys", 1);
    put_ascii(ret, type_name(type), 1);
    put_ascii(ret, assembly, 2);
}

static size_t decimal_size(uint8_t precision)
{
    return precision <= 9 ? 5 : precision <= 19 ? 9 : precision <= 28 ? 13 : 17;
}

void wire_type_put(const TypeInfo *type, Bytes *ret)
{
    const Token *token = &tokens[type->type];
    bool chunked = wire_length(type) == WIRE_CHUNKED;

    put_number(ret, token->token, 1);
    switch (token->form) {
    case FORM_SIZE:
        put_number(ret, token->size, 1);
        break;
    case FORM_DECIMAL:
        put_number(ret, decimal_size(type->precision), 1);
        put_number(ret, type->precision, 1);
        put_number(ret, type->scale, 1);
        break;
    case FORM_PLAIN:
        break;
    case FORM_SCALE:
        put_number(ret, type->scale, 1);
        break;
    case FORM_TEXT:
        put_number(ret, chunked ? 0xFFFF : (uint32_t)type->max_length, 2);
        bytes_append(ret, wire_collation, sizeof wire_collation);
        break;
    case FORM_BINARY:
        put_number(ret, type->type == TYPE_ROWVERSION ? 8 : chunked ? 0xFFFF : (uint32_t)type->max_length, 2);
        break;
    case FORM_BLOB:
        put_number(ret, type->type == TYPE_NTEXT ? 0x7FFFFFFE : 0x7FFFFFFF, 4);
        if (type->type != TYPE_IMAGE)
            bytes_append(ret, wire_collation, sizeof wire_collation);
        break;
    case FORM_XML:
        put_number(ret, 0, 1); /* no schema collection */
        break;
    case FORM_VARIANT:
        put_number(ret, 8009, 4);
        break;
    case FORM_CLR:
        put_clr(type, ret);
        break;
    }
}

uint64_t read_number(Reader *reader, size_t size)
{
    const uint8_t *bytes = read_bytes(reader, size);
    uint64_t number = 0;

    for (size_t i = 0; bytes && i < size; i++)
        number |= (uint64_t)bytes[i] << (8 * i);
    return number;
}

const uint8_t *read_bytes(Reader *reader, size_t size)
{
    if (reader->bad || size > reader->length - reader->at) {
        reader->bad = true;
        return NULL;
    }
    reader->at += size;
    return reader->data + reader->at - size;
}

typedef struct FixedType {
    uint8_t token;
    uint8_t size;
    SqlType type;
} FixedType;

/* [MS-TDS] 2.2.5.4.1; the nullable tokens of the same families follow with the size that selects the type. */
static const FixedType fixed_types[] = {
    {0x30, 1, TYPE_TINYINT},       {0x32, 1, TYPE_BIT},        {0x34, 2, TYPE_SMALLINT}, {0x38, 4, TYPE_INT},
    {0x3A, 4, TYPE_SMALLDATETIME}, {0x3B, 4, TYPE_REAL},       {0x3C, 8, TYPE_MONEY},    {0x3D, 8, TYPE_DATETIME},
    {0x3E, 8, TYPE_FLOAT},         {0x7A, 4, TYPE_SMALLMONEY}, {0x7F, 8, TYPE_BIGINT},   {0x1F, 0, TYPE_INT},
};
static const FixedType sized_types[] = {
    {0x26, 1, TYPE_TINYINT}, {0x26, 2, TYPE_SMALLINT},      {0x26, 4, TYPE_INT},      {0x26, 8, TYPE_BIGINT},
    {0x68, 1, TYPE_BIT},     {0x6D, 4, TYPE_REAL},          {0x6D, 8, TYPE_FLOAT},    {0x6E, 4, TYPE_SMALLMONEY},
    {0x6E, 8, TYPE_MONEY},   {0x6F, 4, TYPE_SMALLDATETIME}, {0x6F, 8, TYPE_DATETIME}, {0x24, 16, TYPE_UNIQUEIDENTIFIER},
};

static bool sized_find(uint8_t token, size_t size, SqlType *ret)
{
    for (size_t i = 0; i < sizeof sized_types / sizeof *sized_types; i++)
        if (sized_types[i].token == token && sized_types[i].size == size) {
            *ret = sized_types[i].type;
            return true;
        }
    return false;
}

static bool fixed_find(uint8_t token, TypeInfo *type)
{
    for (size_t i = 0; i < sizeof fixed_types / sizeof *fixed_types; i++)
        if (fixed_types[i].token == token) {
            type->type = fixed_types[i].type;
            type->max_length = fixed_types[i].size;
            return true;
        }
    return false;
}

static void type_digits(TypeInfo *type)
{
    static const uint8_t digits[][3] = {/* type, precision, scale as in sys.types */
                                        {TYPE_BIT, 1, 0},         {TYPE_TINYINT, 3, 0},        {TYPE_SMALLINT, 5, 0},
                                        {TYPE_INT, 10, 0},        {TYPE_BIGINT, 19, 0},        {TYPE_MONEY, 19, 4},
                                        {TYPE_SMALLMONEY, 10, 4}, {TYPE_REAL, 24, 0},          {TYPE_FLOAT, 53, 0},
                                        {TYPE_DATETIME, 23, 3},   {TYPE_SMALLDATETIME, 16, 0}, {TYPE_DATE, 10, 0}};

    for (size_t i = 0; i < sizeof digits / sizeof *digits; i++)
        if (digits[i][0] == type->type) {
            type->precision = digits[i][1];
            type->scale = digits[i][2];
        }
}

static void type_text(TypeInfo *type, SqlType which, int32_t max_length)
{
    type->type = which;
    type->max_length = max_length;
    if (which != TYPE_BINARY && which != TYPE_VARBINARY && which != TYPE_IMAGE)
        strcpy(type->collation, "SQL_Latin1_General_CP1_CI_AS");
}

/* The tokens whose length stands in two bytes, with 0xFFFF for PLP, and the legacy ones with one byte. */
static int text_type_read(Reader *reader, uint8_t token, TypeInfo *type, WireLength *form)
{
    bool legacy = token < 0x80;
    uint32_t length = (uint32_t)read_number(reader, legacy ? 1 : 2);
    SqlType which = token == 0xA5 || token == 0x25   ? TYPE_VARBINARY
                    : token == 0xAD || token == 0x2D ? TYPE_BINARY
                    : token == 0xA7 || token == 0x27 ? TYPE_VARCHAR
                    : token == 0xAF || token == 0x2F ? TYPE_CHAR
                    : token == 0xE7                  ? TYPE_NVARCHAR
                                                     : TYPE_NCHAR;

    if (!legacy && which != TYPE_BINARY && which != TYPE_VARBINARY)
        read_bytes(reader, 5);
    *form = legacy ? WIRE_BYTE : length == 0xFFFF ? WIRE_CHUNKED : WIRE_SHORT;
    if (length > 8000 && length != 0xFFFF)
        return -1;
    type_text(type, which, length == 0xFFFF ? -1 : (int32_t)length);
    return 0;
}

static int scaled_type_read(Reader *reader, uint8_t token, TypeInfo *type)
{
    if (token == 0x28) {
        type->type = TYPE_DATE;
        type->max_length = 3;
        type_digits(type);
        return 0;
    }
    type->type = token == 0x29 ? TYPE_TIME : token == 0x2A ? TYPE_DATETIME2 : TYPE_DATETIMEOFFSET;
    type->scale = (uint8_t)read_number(reader, 1);
    if (type->scale > 7)
        return -1;
    int size = type->scale <= 2 ? 3 : type->scale <= 4 ? 4 : 5;
    int before = type->type == TYPE_TIME ? 8 : type->type == TYPE_DATETIME2 ? 19 : 26;
    type->max_length = size + (type->type == TYPE_TIME ? 0 : type->type == TYPE_DATETIME2 ? 3 : 5);
    type->precision = (uint8_t)(before + (type->scale ? type->scale + 1 : 0));
    return 0;
}

static int decimal_type_read(Reader *reader, uint8_t token, TypeInfo *type)
{
    type->type = token == 0x6A || token == 0x37 ? TYPE_DECIMAL : TYPE_NUMERIC;
    read_number(reader, 1);
    type->precision = (uint8_t)read_number(reader, 1);
    type->scale = (uint8_t)read_number(reader, 1);
    type->max_length = (int32_t)decimal_size(type->precision);
    return type->precision < 1 || type->precision > 38 || type->scale > type->precision ? -1 : 0;
}

static int blob_type_read(Reader *reader, uint8_t token, TypeInfo *type)
{
    read_number(reader, 4);
    if (token != 0x22)
        read_bytes(reader, 5);
    type_text(type, token == 0x22 ? TYPE_IMAGE : token == 0x23 ? TYPE_TEXT : TYPE_NTEXT, 16);
    return 0;
}

static int sized_type_read(Reader *reader, uint8_t token, TypeInfo *type)
{
    size_t size = read_number(reader, 1);

    if (!sized_find(token, size, &type->type))
        return -1;
    type->max_length = (int32_t)size;
    type_digits(type);
    return 0;
}

static int parameter_type_read(Reader *reader, TypeInfo *type, WireLength *form)
{
    uint8_t token = (uint8_t)read_number(reader, 1);

    memset(type, 0, sizeof *type);
    *form = WIRE_BYTE;
    if (fixed_find(token, type)) {
        type_digits(type);
        *form = WIRE_FIXED;
        return 0;
    }
    switch (token) {
    case 0x26:
    case 0x68:
    case 0x6D:
    case 0x6E:
    case 0x6F:
    case 0x24:
        return sized_type_read(reader, token, type);
    case 0x6A:
    case 0x6C:
    case 0x37:
    case 0x3F:
        return decimal_type_read(reader, token, type);
    case 0x28:
    case 0x29:
    case 0x2A:
    case 0x2B:
        return scaled_type_read(reader, token, type);
    case 0xA5:
    case 0xAD:
    case 0xA7:
    case 0xAF:
    case 0xE7:
    case 0xEF:
    case 0x25:
    case 0x2D:
    case 0x27:
    case 0x2F:
        return text_type_read(reader, token, type, form);
    case 0x22:
    case 0x23:
    case 0x63:
        *form = WIRE_BLOB;
        return blob_type_read(reader, token, type);
    case 0xF1:
        *form = WIRE_CHUNKED;
        type->type = TYPE_XML;
        type->max_length = -1;
        return read_number(reader, 1) == 0 ? 0 : -1;
    case 0x62:
        *form = WIRE_LONG;
        read_number(reader, 4);
        type->type = TYPE_SQL_VARIANT;
        type->max_length = 8016;
        return 0;
    default:
        return -1;
    }
}

static int chunks_read(Reader *reader, Bytes *arena, bool *is_null)
{
    uint64_t total = read_number(reader, 8);

    *is_null = total == UINT64_MAX;
    if (*is_null)
        return reader->bad ? -1 : 0;
    for (;;) {
        size_t chunk = read_number(reader, 4);
        const uint8_t *bytes = read_bytes(reader, chunk);
        if (!bytes)
            return -1;
        if (chunk == 0)
            return 0;
        bytes_append(arena, bytes, chunk);
    }
}

/* Fixed-size types must come in exactly their size: the engine and type.c count on it. */
static bool length_fits(const TypeInfo *type, size_t length)
{
    switch (tokens[type->type].form) {
    case FORM_SIZE:
    case FORM_PLAIN:
    case FORM_SCALE:
        return length == (size_t)type->max_length;
    case FORM_TEXT:
    case FORM_BINARY:
        if ((type->type == TYPE_NCHAR || type->type == TYPE_NVARCHAR) && length % 2)
            return false;
        return type->max_length < 0 || length <= (size_t)type->max_length;
    default:
        return true;
    }
}

/* FreeTDS sends a decimal with the magnitude of its own choice; ours has the fixed size of the precision. */
static int decimal_append(const TypeInfo *type, const uint8_t *bytes, size_t length, Bytes *arena)
{
    uint8_t value[17] = {0};
    size_t size = decimal_size(type->precision);

    if (length < 2 || length > sizeof value)
        return -1;
    memcpy(value, bytes, length);
    for (size_t i = size; i < sizeof value; i++)
        if (value[i])
            return -1;
    bytes_append(arena, value, size);
    return 0;
}

int wire_parameter_read(Reader *reader, TypeInfo *type, Bytes *arena, size_t *offset, size_t *length, bool *is_null)
{
    WireLength form;
    size_t size = 0;

    *offset = arena->length;
    *is_null = false;
    if (parameter_type_read(reader, type, &form) != 0 || reader->bad)
        return -1;
    if (form == WIRE_CHUNKED) {
        if (chunks_read(reader, arena, is_null) != 0)
            return -1;
    } else {
        if (form == WIRE_FIXED) {
            size = (size_t)type->max_length;
            *is_null = size == 0; /* NULLTYPE */
            type->max_length = size ? type->max_length : 4;
        } else {
            size = read_number(reader, form == WIRE_BYTE ? 1 : form == WIRE_SHORT ? 2 : 4);
            bool legacy_text = form == WIRE_BYTE && tokens[type->type].form >= FORM_TEXT;
            *is_null = form == WIRE_SHORT  ? size == 0xFFFF
                       : form == WIRE_BLOB ? size == 0xFFFFFFFF
                                           : size == 0 && !legacy_text;
        }
        const uint8_t *bytes = *is_null ? NULL : read_bytes(reader, size);
        if (!*is_null && !bytes)
            return -1;
        if (!*is_null && tokens[type->type].form == FORM_DECIMAL) {
            if (decimal_append(type, bytes, size, arena) != 0)
                return -1;
        } else if (!*is_null) {
            bytes_append(arena, bytes, size);
        }
    }
    *length = arena->length - *offset;
    return *is_null || length_fits(type, *length) ? 0 : -1;
}
