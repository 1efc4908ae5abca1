/* sqlserver_decode_test.c - every type from the bytes DB-Library hands out, and back as a key's text */
#include "check.h"
#include "source/sqlserver/decode.h"
#include "source/sqlserver/type.h"

#include <stdio.h>
#include <sybdb.h>

typedef struct Case {
    const char *base;
    int max_length, precision, scale;
    int wire;
    const void *data;
    int length;
    const char *text; /* key_text; NULL = the decoder must refuse */
} Case;

static DBDATETIMEALL instant(int64_t time, int32_t date, int16_t offset)
{
    DBDATETIMEALL ret;

    memset(&ret, 0, sizeof ret);
    ret.time = (DBUBIGINT)time;
    ret.date = date;
    ret.offset = offset;
    return ret;
}

static DBNUMERIC numeric(int precision, int scale, bool negative, const char *magnitude, int length)
{
    DBNUMERIC ret;

    memset(&ret, 0, sizeof ret);
    ret.precision = (BYTE)precision;
    ret.scale = (BYTE)scale;
    ret.array[0] = negative;
    memcpy(ret.array + 1, magnitude, (size_t)length);
    return ret;
}

static void run(const Case *one)
{
    TypeFacts facts;
    Field field = {.name = "c", .source_name = "c"};
    Schema schema = {.fields = &field, .count = 1};
    ColumnBatch batch;
    Error error;
    Decode decode;
    cJSON *text = NULL;
    char name[200];

    type_facts(one->base, one->max_length, one->precision, one->scale, &facts);
    field.type = facts.type;
    field.precision = facts.precision;
    field.scale = facts.scale;
    field.large = facts.large;
    snprintf(field.source_type, sizeof field.source_type, "%s", facts.source_type);
    snprintf(name, sizeof name, "%s of %d bytes: %s", facts.source_type, one->length,
             one->text ? one->text : "refused");
    column_batch_init(&batch, &schema, 0, 4096, &error);
    if (decode_choose(&field, one->wire, &decode, &error) == 0 &&
        decode(&batch, 0, one->data, one->length, &error) == 0)
        text = key_text(&batch, 0, 0);
    if (one->text)
        check_text(text ? text->valuestring : error.message, one->text, name);
    else
        check(text == NULL, name);
    cJSON_Delete(text);
    column_batch_free(&batch);
}

static void numbers(void)
{
    static const uint8_t one = 1, max = 255;
    static const int16_t small = -32768;
    static const int32_t normal = -2147483647 - 1, money4 = -15000;
    static const int64_t big = INT64_MIN;
    static const float real = 0.1F;
    static const double precise = 0.1, smallest = 4.9406564584124654e-324;
    static const DBMONEY money = {.mnyhigh = -1, .mnylow = 0xFFFFFFFF},
                         large = {.mnyhigh = 0x7FFFFFFF, .mnylow = 0xFFFFFFFF};
    DBNUMERIC nines = numeric(38, 0, true, "\x4b\x3b\x4c\xa8\x5a\x86\xc4\x7a\x09\x8a\x22\x3f\xff\xff\xff\xff", 16);
    DBNUMERIC few = numeric(5, 2, false, "\x00\x00\x07", 3), zero = numeric(18, 4, false, "", 0),
              scale = numeric(5, 3, false, "\x00\x00\x07", 3);
    const Case cases[] = {
        {"bit", 1, 1, 0, SYBBIT, &one, 1, "1"},
        {"tinyint", 1, 3, 0, SYBINT1, &max, 1, "255"},
        {"smallint", 2, 5, 0, SYBINT2, &small, 2, "-32768"},
        {"int", 4, 10, 0, SYBINT4, &normal, 4, "-2147483648"},
        {"bigint", 8, 19, 0, SYBINT8, &big, 8, "-9223372036854775808"},
        {"real", 4, 24, 0, SYBREAL, &real, 4, "1.000000015E-01"},
        {"float", 8, 53, 0, SYBFLT8, &precise, 8, "1.0000000000000001E-01"},
        {"float", 8, 53, 0, SYBFLT8, &smallest, 8, "4.9406564584124654E-324"},
        {"decimal", 17, 38, 0, SYBDECIMAL, &nines, sizeof nines, "-99999999999999999999999999999999999999"},
        {"decimal", 5, 5, 2, SYBDECIMAL, &few, sizeof few, "0.07"},
        {"numeric", 9, 18, 4, SYBNUMERIC, &zero, sizeof zero, "0.0000"},
        {"decimal", 5, 5, 2, SYBDECIMAL, &scale, sizeof scale, NULL},
        {"money", 8, 19, 4, SYBMONEY, &money, 8, "-0.0001"},
        {"money", 8, 19, 4, SYBMONEY, &large, 8, "922337203685477.5807"},
        {"smallmoney", 4, 10, 4, SYBMONEY4, &money4, 4, "-1.5000"},
        {"int", 4, 10, 0, SYBINT8, &big, 8, NULL},
        {"int", 4, 10, 0, SYBINT4, &small, 2, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        run(&cases[i]);
}

static void times(void)
{
    DBDATETIMEALL first = instant(0, -693595, 0), last = instant(863999999999, 2958463, 0), leap = instant(0, 36583, 0);
    DBDATETIMEALL east = instant(36000000000, 0, 840), west = instant(0, 0, -210);
    DBDATETIME datetime = {.dtdays = 0, .dttime = 1}, end = {.dtdays = 2958463, .dttime = 25919999},
               old = {.dtdays = -53690, .dttime = 2};
    DBDATETIME4 minutes = {.days = 65535, .minutes = 1439};
    const Case cases[] = {
        {"date", 3, 10, 0, SYBMSDATE, &first, sizeof first, "0001-01-01"},
        {"date", 3, 10, 0, SYBMSDATE, &leap, sizeof leap, "2000-02-29"},
        {"time", 5, 16, 7, SYBMSTIME, &last, sizeof last, "23:59:59.9999999"},
        {"datetime2", 8, 27, 7, SYBMSDATETIME2, &first, sizeof first, "0001-01-01T00:00:00.0000000"},
        {"datetime2", 8, 27, 7, SYBMSDATETIME2, &last, sizeof last, "9999-12-31T23:59:59.9999999"},
        {"datetimeoffset", 10, 34, 7, SYBMSDATETIMEOFFSET, &east, sizeof east, "1900-01-01T15:00:00.0000000+14:00"},
        {"datetimeoffset", 10, 34, 7, SYBMSDATETIMEOFFSET, &west, sizeof west, "1899-12-31T20:30:00.0000000-03:30"},
        {"datetime", 8, 23, 3, SYBDATETIME, &datetime, 8, "1900-01-01T00:00:00.003"},
        {"datetime", 8, 23, 3, SYBDATETIME, &end, 8, "9999-12-31T23:59:59.997"},
        {"datetime", 8, 23, 3, SYBDATETIME, &old, 8, "1753-01-01T00:00:00.007"},
        {"smalldatetime", 4, 16, 0, SYBDATETIME4, &minutes, 4, "2079-06-06T23:59:00.000"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        run(&cases[i]);
}

static void others(void)
{
    static const uint8_t guid[16] = {0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66,
                                     0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    const Case cases[] = {
        {"uniqueidentifier", 16, 0, 0, 36, guid, 16, "00112233-4455-6677-8899-aabbccddeeff"},
        {"uniqueidentifier", 16, 0, 0, 36, guid, 15, NULL},
        {"varchar", 20, 0, 0, SYBCHAR, "a\xc3\xa4", 3, "a\xc3\xa4"},
        {"nvarchar", -1, 0, 0, SYBTEXT, "\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80"},
        {"char", 3, 0, 0, SYBCHAR, "a  ", 3, "a  "},
        {"varchar", 3, 0, 0, SYBCHAR, "", 0, ""},
        {"varbinary", 8, 0, 0, SYBBINARY, "\x00\xff", 2, "0x00ff"},
        {"varbinary", 8, 0, 0, SYBBINARY, "", 0, "0x"},
        {"timestamp", 8, 0, 0, SYBBINARY, "\0\0\0\0\0\0\x07\xd1", 8, "0x00000000000007d1"},
        {"nvarchar", 20, 0, 0, SYBCHAR, "a\0b", 3, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        run(&cases[i]);
}

static void facts(void)
{
    TypeFacts found;

    type_facts("nvarchar", 40, 0, 0, &found);
    check_text(found.source_type, "nvarchar(20)", "nvarchar's length is in characters");
    type_facts("varbinary", -1, 0, 0, &found);
    check(found.large && strcmp(found.source_type, "varbinary(max)") == 0, "varbinary(max) is large");
    type_facts("time", 5, 16, 3, &found);
    check(found.precision == 3 && strcmp(found.source_type, "time(3)") == 0, "time's digits come from the scale");
    type_facts("cursor", 0, 0, 0, &found);
    check(found.refused[0] != 0, "an unknown type is refused by name");
    check(type_read("sql_variant") == READ_VARIANT && type_read("hierarchyid") == READ_HIERARCHY &&
              type_read("geometry") == READ_SPATIAL && type_read("int") == READ_PLAIN,
          "types without an exact wire form are read through an expression");
}

static void lengths(void)
{
    check(type_length_check(type_length("nvarchar(max)", NULL), "a\xf0\x9f\x98\x80", 5, 6) == 0,
          "nvarchar(max): an emoji counts two units");
    check(type_length_check(type_length("nvarchar(max)", NULL), "a", 1, 6) < 0, "nvarchar(max): a short value is seen");
    check(type_length_check(type_length("varchar(max)", "Latin1_General_CI_AS"), "\xc3\xa4", 2, 1) == 0,
          "varchar(max): characters are bytes of the code page");
    check(type_length_check(type_length("varchar(max)", "Latin1_General_100_CI_AS_SC_UTF8"), "\xc3\xa4", 2, 2) == 0,
          "varchar(max): UTF-8 collations count bytes");
    check(type_length_check(type_length("varchar(max)", "Japanese_CI_AS"), "\xe6\x97\xa5", 3, 2) == 0,
          "varchar(max): two-byte code pages are bounded");
    check(type_length_check(type_length("varbinary(max)", NULL), "abc", 3, 4) < 0,
          "varbinary(max): a short value is seen");
    check(type_length("xml", NULL) == LENGTH_NONE, "xml: DATALENGTH counts another form");
}

static void utf16(void)
{
    static const struct {
        const char *data;
        int length;
        const char *text, *name;
    } cases[] = {{"a\0\xe4\0", 4, "a\xc3\xa4", "UTF-16: one and two bytes"},
                 {"\xe5\x65\x3d\xd8\x00\xde", 6, "\xe6\x97\xa5\xf0\x9f\x98\x80", "UTF-16: three bytes and a pair"},
                 {"\x00\xd8\x61\0", 4, "\xed\xa0\x80\x61", "UTF-16: a lone high surrogate keeps its bytes"},
                 {"\x00\xdc", 2, "\xed\xb0\x80", "UTF-16: a lone low surrogate at the end"},
                 {"", 0, "", "UTF-16: nothing"}};
    Field field = {.name = "c", .source_name = "c", .source_type = "nvarchar(20)", .type = COLUMN_STRING};
    Schema schema = {.fields = &field, .count = 1};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ColumnBatch batch;
        Error error;
        cJSON *text;

        column_batch_init(&batch, &schema, 0, 4096, &error);
        decode_utf16(&batch, 0, cases[i].data, cases[i].length, &error);
        text = key_text(&batch, 0, 0);
        check_text(text ? text->valuestring : "NULL", cases[i].text, cases[i].name);
        cJSON_Delete(text);
        column_batch_free(&batch);
    }
    check(type_length_check_utf16(LENGTH_UTF16, 6, 6) == 0 && type_length_check_utf16(LENGTH_UTF16, 4, 6) < 0,
          "UTF-16: a short value is seen");
}

int main(void)
{
    utf16();
    numbers();
    times();
    others();
    facts();
    lengths();
    return check_end();
}
