/*
 * type_test: literals, texts, casts and sort keys of every SQL Server type against what Microsoft documents
 * ("Data types (Transact-SQL)", "CAST and CONVERT", [MS-TDS] 2.2.5.5). Prints `ok` and `not ok` lines.
 */
#include "type.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed, number;

static void check(bool good, const char *what, const char *wanted, const char *found)
{
    printf("%s %d - %s\n", good ? "ok" : "not ok", ++number, what);
    if (!good) {
        printf("# wanted %s\n# found  %s\n", wanted, found);
        failed++;
    }
}

/* "decimal(18,4)" -> TypeInfo */
static TypeInfo parse(const char *text)
{
    char name[64];
    int length = -1, scale = -1;
    TypeInfo type;
    SqlError error;

    snprintf(name, sizeof name, "%s", text);
    char *open = strchr(name, '(');
    if (open) {
        *open = '\0';
        if (strncmp(open + 1, "max", 3) == 0)
            length = -2;
        else
            sscanf(open + 1, "%d,%d", &length, &scale);
    }
    if (type_parse(name, length, scale, &type, &error) != 0) {
        printf("# %s\n", error.text);
        abort();
    }
    return type;
}

static void hex(const Bytes *bytes, char *ret, size_t size)
{
    ret[0] = '\0';
    for (size_t i = 0; i < bytes->length && 2 * i + 3 < size; i++)
        sprintf(ret + 2 * i, "%02x", bytes->data[i]);
}

static void literal(const char *type_text, const char *text, const char *wanted_hex, const char *wanted_text)
{
    TypeInfo type = parse(type_text);
    Bytes value = {0}, back = {0};
    SqlError error = {0};
    char found[2048], what[4096];

    snprintf(what, sizeof what, "%s '%s' on the wire", type_text, text);
    if (value_from_text(&type, text, strlen(text), &value, &error) != 0)
        snprintf(found, sizeof found, "error %d %s", error.number, error.text);
    else
        hex(&value, found, sizeof found);
    check(strcmp(found, wanted_hex) == 0, what, wanted_hex, found);
    if (wanted_text) {
        const uint8_t none = 0;
        snprintf(what, sizeof what, "%s '%s' as text", type_text, text);
        value_to_text(&type, value.data ? value.data : &none, value.length, &back, &error);
        snprintf(found, sizeof found, "%.*s", (int)back.length, back.data ? (const char *)back.data : "");
        check(strcmp(found, wanted_text) == 0, what, wanted_text, found);
    }
    bytes_free(&value);
    bytes_free(&back);
}

static void refused(const char *type_text, const char *text, int wanted)
{
    TypeInfo type = parse(type_text);
    Bytes value = {0};
    SqlError error = {0};
    char what[300], want[16], found[1100];

    int result = value_from_text(&type, text, strlen(text), &value, &error);
    snprintf(what, sizeof what, "%s refuses '%s' with error %d", type_text, text, wanted);
    snprintf(want, sizeof want, "%d", wanted);
    snprintf(found, sizeof found, "%d %s", error.number, error.text);
    check(result == -1 && error.number == wanted, what, want, found);
    bytes_free(&value);
}

typedef int Convert(const TypeInfo *, const uint8_t *, size_t, const TypeInfo *, Bytes *, SqlError *);

static void converted(Convert *convert, const char *how, const char *from_text, const char *text, const char *to_text,
                      const char *wanted)
{
    TypeInfo from = parse(from_text), to = parse(to_text);
    Bytes value = {0}, result = {0}, back = {0};
    SqlError error = {0};
    char what[400], found[1200];

    if (value_from_text(&from, text, strlen(text), &value, &error) != 0 ||
        convert(&from, value.data, value.length, &to, &result, &error) != 0 ||
        value_to_text(&to, result.data, result.length, &back, &error) != 0)
        snprintf(found, sizeof found, "error %d", error.number);
    else
        snprintf(found, sizeof found, "%.*s", (int)back.length, back.data ? (const char *)back.data : "");
    snprintf(what, sizeof what, "%s %s '%s' to %s", how, from_text, text, to_text);
    check(strcmp(found, wanted) == 0, what, wanted, found);
    bytes_free(&value);
    bytes_free(&result);
    bytes_free(&back);
}

static void cast(const char *from, const char *text, const char *to, const char *wanted)
{
    converted(value_cast, "implicit", from, text, to, wanted);
}

static void explicit(const char *from, const char *text, const char *to, const char *wanted)
{
    converted(value_convert, "explicit", from, text, to, wanted);
}

/* sign of the comparison of two values' keys */
static void order(const char *type_text, const char *collation, const char *left, const char *right, int wanted)
{
    TypeInfo type = parse(type_text);
    Bytes value = {0}, keys[2] = {{0}, {0}};
    const char *texts[2] = {left, right};
    SqlError error = {0};
    char what[400], want[16], found[16];

    if (collation)
        strcpy(type.collation, collation);
    for (int i = 0; i < 2; i++) {
        bytes_clear(&value);
        if (value_from_text(&type, texts[i], strlen(texts[i]), &value, &error) != 0)
            printf("# %s\n", error.text);
        value_sort_key(&type, value.data, value.length, &keys[i]);
    }
    size_t least = keys[0].length < keys[1].length ? keys[0].length : keys[1].length;
    int sign = least ? memcmp(keys[0].data, keys[1].data, least) : 0;
    if (sign == 0)
        sign = (keys[0].length > keys[1].length) - (keys[0].length < keys[1].length);
    sign = (sign > 0) - (sign < 0);
    snprintf(what, sizeof what, "%s %s: '%s' against '%s'", type_text, collation ? collation : "", left, right);
    snprintf(want, sizeof want, "%d", wanted);
    snprintf(found, sizeof found, "%d", sign);
    check(sign == wanted, what, want, found);
    bytes_free(&value);
    bytes_free(&keys[0]);
    bytes_free(&keys[1]);
}

static void test_numbers(void)
{
    literal("bit", "1", "01", "1");
    literal("bit", "true", "01", "1");
    literal("tinyint", "255", "ff", "255");
    literal("smallint", "-32768", "0080", "-32768");
    literal("int", " -7 ", "f9ffffff", "-7");
    literal("int", "", "00000000", "0");
    literal("bigint", "-9223372036854775808", "0000000000000080", "-9223372036854775808");
    literal("bigint", "9223372036854775807", "ffffffffffffff7f", "9223372036854775807");
    literal("decimal(9,2)", "-123.455", "003a300000", NULL);
    literal("decimal(5,2)", "999.99", "019f860100", "999.99");
    literal("decimal(18,4)", "0.00005", "010100000000000000", "0.0001");
    literal("decimal(38,0)", "99999999999999999999999999999999999999", "01ffffffff3f228a097ac4865aa84c3b4b",
            "99999999999999999999999999999999999999");
    literal("decimal(38,10)", "-1234567890123456789012345678.0123456789", "00154567cc4e9049c4133302f0f6b04909", NULL);
    literal("money", "-922337203685477.5808", "0000008000000000", "-922337203685477.58");
    literal("money", "$1,234.5678", "000000004e61bc00", "1234.57");
    literal("smallmoney", "214748.3647", "ffffff7f", "214748.36");
    literal("real", "1.5", "0000c03f", "1.5");
    literal("float", "-1e300", "9c7500883ce437fe", "-1e+300");
    literal("float", "0.1", "9a9999999999b93f", "0.1");
    literal("float", "1234567.8", "cdcccccc87d63241", "1.23457e+006");
    refused("int", "1.5", 245);
    refused("int", "abc", 245);
    refused("int", "2147483648", 248);
    refused("tinyint", "256", 244);
    refused("smallint", "40000", 244);
    refused("bigint", "9223372036854775808", 8115);
    refused("bigint", "x", 8114);
    refused("decimal(5,2)", "1000", 8115);
    refused("decimal(5,2)", "", 8114);
    refused("decimal(5,2)", "1e2", 8114);
    refused("money", "x", 235);
    refused("float", "x", 8114);
    refused("float", "1e400", 8115);
    refused("bit", "maybe", 245);
    cast("int", "70000", "smallint", "error 220");
    cast("bigint", "5000000000", "int", "error 8115");
    cast("decimal(9,2)", "-1.99", "int", "-1");
    cast("money", "1.99", "int", "2");
    cast("float", "1.99", "int", "1");
    cast("float", "123456789.987654", "decimal(18,6)", "123456789.987654");
    cast("float", "1e30", "decimal(38,0)", "1000000000000000000000000000000");
    cast("decimal(38,20)", "0.1", "float", "0.1");
    cast("int", "-5", "money", "-5.00");
    cast("int", "12345", "varchar(3)", "error 8115");
    cast("bigint", "12345", "nvarchar(20)", "12345");
}

static void test_times(void)
{
    literal("date", "0001-01-01", "000000", "0001-01-01");
    literal("date", "9999-12-31", "dab937", "9999-12-31");
    literal("date", "20240229", "80460b", NULL);
    literal("time(0)", "23:59:59", "7f5101", "23:59:59");
    literal("time(7)", "23:59:59.9999999", "ffbf692ac9", "23:59:59.9999999");
    literal("time(3)", "1:02:03.4567 PM", "c1fecb02", "13:02:03.457");
    literal("datetime", "1753-01-01", "462effff00000000", "Jan  1 1753 12:00AM");
    literal("datetime", "1900-01-02 00:00:00.003", "0100000001000000", "Jan  2 1900 12:00AM");
    literal("datetime", "9999-12-31T23:59:59.997", "7f242d00ff818b01", "Dec 31 9999 11:59PM");
    literal("smalldatetime", "2079-06-06 23:59:29.998", "ffff9f05", "Jun  6 2079 11:59PM");
    literal("smalldatetime", "1900-01-01 00:00:29.999", "00000100", "Jan  1 1900 12:01AM");
    literal("datetime2(7)", "0001-01-01 00:00:00.0000001", "0100000000000000", "0001-01-01 00:00:00.0000001");
    literal("datetime2(6)", "2024-01-02 03:04:05.1234565", "813557920246460b", NULL);
    literal("datetime2(0)", "9999-12-31 23:59:59.9", "7f5101dab937", "9999-12-31 23:59:59");
    literal("datetimeoffset(7)", "2024-01-02 00:30:00.1234567 +05:30", "878ea6419f45460b4a01", NULL);
    refused("datetime", "1752-12-31", 242);
    refused("smalldatetime", "2079-06-07", 242);
    refused("smalldatetime", "x", 295);
    refused("datetime", "2024-01-01 00:00:00.1234", 241);
    refused("date", "2023-02-29", 241);
    refused("datetime", "2023-02-29", 242);
    refused("datetime", "nonsense", 241);
    refused("datetime2(7)", "2024-13-01", 241);
    refused("time(7)", "25:00", 241);
    cast("datetime2(7)", "2024-05-06 07:08:09.1234567", "datetime2(3)", "2024-05-06 07:08:09.123");
    cast("datetime2(7)", "2024-12-31 23:59:59.9999999", "datetime2(0)", "2025-01-01 00:00:00");
    cast("datetime", "2024-05-06 07:08:09.123", "datetime2(7)", "2024-05-06 07:08:09.1233333");
    cast("datetimeoffset(0)", "2024-05-06 23:08:09 -05:00", "datetime2(0)", "2024-05-06 23:08:09");
    cast("datetime2(0)", "2024-05-06 23:08:09", "datetimeoffset(0)", "2024-05-06 23:08:09 +00:00");
    cast("nvarchar(50)", "Nov 20 2026  8:43AM", "datetime2(0)", "2026-11-20 08:43:00");
    cast("nvarchar(50)", "11/20/2026", "date", "2026-11-20");
    cast("date", "2024-05-06", "datetime", "May  6 2024 12:00AM");
    cast("date", "2024-05-06", "time(0)", "error 206");
    cast("int", "1", "datetime", "Jan  2 1900 12:00AM");
    cast("int", "1", "date", "error 206");
}

static void test_texts(void)
{
    literal("varchar(10)", "h\xc3\xa9\xe2\x82\xac", "68e980", "h\xc3\xa9\xe2\x82\xac");
    literal("varchar(10)", "\xf0\x9f\x98\x80", "3f3f", "??");
    literal("char(4)", "ab", "61622020", "ab  ");
    literal("nchar(3)", "a", "610020002000", "a  ");
    literal("nvarchar(10)", "\xf0\x9f\x98\x80", "3dd800de", "\xf0\x9f\x98\x80");
    literal("nvarchar(2)", "ab   ", "61006200", "ab");
    literal("nvarchar(max)", "", "", "");
    literal("ntext", "x", "7800", "x");
    literal("text", "x", "78", "x");
    literal("xml", "<a/>", "3c0061002f003e00", "<a/>");
    literal("varbinary(4)", "0xABC", "0abc", "0x0ABC");
    literal("binary(4)", "0x01", "01000000", "0x01000000");
    literal("image", "0x0102", "0102", "0x0102");
    literal("rowversion", "0x00000000000007D1", "00000000000007d1", "0x00000000000007D1");
    literal("uniqueidentifier", "6F9619FF-8B86-D011-B42D-00C04FC964FF", "ff19966f868b11d0b42d00c04fc964ff",
            "6F9619FF-8B86-D011-B42D-00C04FC964FF");
    literal("uniqueidentifier", "{6f9619ff-8b86-d011-b42d-00c04fc964ff}", "ff19966f868b11d0b42d00c04fc964ff", NULL);
    literal("hierarchyid", "/1/2/", "5b40", "/1/2/");
    literal("hierarchyid", "/", "", "/");
    literal("hierarchyid", "/16/-1/1104/", "c113ff800440", NULL);
    literal("geometry", "POINT (3 4)", "00000000010c00000000000008400000000000001040", "POINT (3 4)");
    literal("geography", "POINT (3 4)", "e6100000010c00000000000010400000000000000840", "POINT (3 4)");
    refused("varchar(3)", "abcd", 2628);
    refused("nvarchar(3)", "abcd", 2628);
    refused("varbinary(2)", "0x010203", 2628);
    refused("uniqueidentifier", "zz", 8169);
    refused("hierarchyid", "1/2", 6522);
    cast("nvarchar(10)", "abcdef", "varchar(3)", "error 2628");
    explicit("nvarchar(10)", "abcdef", "varchar(3)", "abc");
    cast("nvarchar(10)", "ab", "varbinary(10)", "error 257");
    explicit("nvarchar(10)", "ab", "varbinary(10)", "0x61006200");
    explicit("int", "258", "varbinary(4)", "0x00000102");
    explicit("int", "-2", "binary(8)", "0xFFFFFFFFFFFFFFFE");
    explicit("varbinary(8)", "0x0102", "int", "258");
    explicit("uniqueidentifier", "6F9619FF-8B86-D011-B42D-00C04FC964FF", "date", "error 529");
    explicit("hierarchyid", "/3/1/", "nvarchar(100)", "/3/1/");
    cast("int", "42", "sql_variant", "42");
    cast("datetime2(3)", "2024-05-06 07:08:09.123", "sql_variant", "2024-05-06 07:08:09.123");
    cast("decimal(9,3)", "-1.5", "sql_variant", "-1.500");
    cast("nvarchar(9)", "h\xc3\xa9", "sql_variant", "h\xc3\xa9");
    cast("xml", "<a/>", "sql_variant", "error 206");
}

static void test_orders(void)
{
    order("int", NULL, "-1", "1", -1);
    order("bigint", NULL, "-9223372036854775808", "-9223372036854775807", -1);
    order("decimal(10,2)", NULL, "-2.5", "-2.4", -1);
    order("decimal(38,0)", NULL, "0", "-0", 0);
    order("money", NULL, "-0.0001", "0", -1);
    order("float", NULL, "-0", "0", 0);
    order("float", NULL, "-1e-300", "-1e300", 1);
    order("real", NULL, "1", "2", -1);
    order("datetime", NULL, "1899-12-31", "1900-01-01", -1);
    order("time(3)", NULL, "00:00:00.001", "23:00", -1);
    order("datetimeoffset(0)", NULL, "2024-01-01 12:00 +02:00", "2024-01-01 10:00 +00:00", 0);
    order("datetimeoffset(0)", NULL, "2024-01-01 00:30 +01:00", "2023-12-31 23:45 +00:00", -1);
    order("uniqueidentifier", NULL, "FFFFFFFF-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002", -1);
    order("uniqueidentifier", NULL, "00000001-0000-0000-0000-000000000000", "01000000-0000-0000-0000-000000000000", 1);
    order("nvarchar(20)", NULL, "abc", "ABC  ", 0);
    order("nvarchar(20)", NULL, "a_b", "aab", -1);
    order("nvarchar(20)", NULL, "a9", "aa", -1);
    order("nvarchar(20)", NULL, "e", "\xc3\xa9", -1);
    order("nvarchar(20)", NULL, "\xc3\xa9", "f", -1);
    order("nvarchar(20)", NULL, "\xc3\xa9", "\xc3\x89", 0);
    order("varchar(20)", "SQL_Latin1_General_CP1_CS_AS", "abc", "ABC", 1);
    order("varchar(20)", "Latin1_General_CS_AS", "abc", "ABC", -1);
    order("varchar(20)", "Latin1_General_CI_AI", "e", "\xc3\xa9", 0);
    order("varchar(20)", "Latin1_General_BIN2", "B", "a", -1);
    order("nvarchar(20)", "Latin1_General_BIN2", "\xc4\x80", "z", 1);
    order("varbinary(8)", NULL, "0x01", "0x0100", 0);
    order("varbinary(8)", NULL, "0x01FF", "0x02", -1);
    order("rowversion", NULL, "0x00000000000007D1", "0x00000000000007D2", -1);
    order("hierarchyid", NULL, "/1/", "/1/1/", -1);
    order("hierarchyid", NULL, "/1/5/", "/2/", -1);
    order("hierarchyid", NULL, "/-1/", "/0/", -1);
}

static bool exact_as_text(SqlType type)
{
    switch (type) {
    case TYPE_FLOAT: /* style 0 of CONVERT shortens these */
    case TYPE_REAL:
    case TYPE_MONEY:
    case TYPE_SMALLMONEY:
    case TYPE_DATETIME:
    case TYPE_SMALLDATETIME:
    case TYPE_SQL_VARIANT:
    case TYPE_HIERARCHYID:
        return false;
    default:
        return true;
    }
}

/* Takes a text as a value of one type, casts it to another; false if its text does not give the same value again. */
static bool random_value(const TypeInfo *type, const TypeInfo *other, const char *text, size_t length)
{
    Bytes value = {0}, shown = {0}, again = {0}, key = {0}, other_value = {0}, other_key = {0};
    static const uint8_t none;
    SqlError error;
    bool same = true;

    if (value_from_text(type, text, length, &value, &error) == 0) {
        const uint8_t *data = value.data ? value.data : &none;
        value_to_text(type, data, value.length, &shown, &error);
        value_sort_key(type, data, value.length, &key);
        if (value_convert(type, data, value.length, other, &other_value, &error) == 0 && other_value.data)
            value_sort_key(other, other_value.data, other_value.length, &other_key);
        if (exact_as_text(type->type))
            same = value_from_text(type, shown.data ? (char *)shown.data : "", shown.length, &again, &error) == 0 &&
                   again.length == value.length && (!again.data || memcmp(again.data, value.data, again.length) == 0);
    }
    Bytes *all[] = {&value, &shown, &again, &key, &other_value, &other_key};
    for (int i = 0; i < 6; i++)
        bytes_free(all[i]);
    return same;
}

/* Random texts, half of them damaged good ones; the sequence is always the same. Meant to run under ASan too. */
static void test_random(void)
{
    static const char *const good[] = {"2024-02-29 13:02:03.1234567 +05:30",
                                       "-123456789012345678901234567.8901",
                                       "1e308",
                                       "0x0102ff",
                                       "6F9619FF-8B86-D011-B42D-00C04FC964FF",
                                       "/1/-8/5199/",
                                       "POINT (1 2)",
                                       "Nov 20 2026  8:43AM",
                                       "9999-12-31 23:59:59.9999999",
                                       "255"};
    static const char letters[] = "0123456789-+.eE:/ TZxXabfAPMpmJan{}(),$\xc3\xa9\xf0\x9f\x98\x80";
    static const char *const types[] = {"bit",
                                        "tinyint",
                                        "smallint",
                                        "int",
                                        "bigint",
                                        "decimal(38,10)",
                                        "numeric(9,2)",
                                        "money",
                                        "smallmoney",
                                        "real",
                                        "float",
                                        "date",
                                        "time(3)",
                                        "datetime",
                                        "smalldatetime",
                                        "datetime2(7)",
                                        "datetimeoffset(5)",
                                        "char(20)",
                                        "varchar(20)",
                                        "nchar(20)",
                                        "nvarchar(max)",
                                        "binary(9)",
                                        "varbinary(max)",
                                        "text",
                                        "ntext",
                                        "image",
                                        "uniqueidentifier",
                                        "xml",
                                        "rowversion",
                                        "sql_variant",
                                        "hierarchyid",
                                        "geometry",
                                        "geography"};
    const size_t type_count = sizeof types / sizeof *types;
    int wrong = 0;

    srand(20240229);
    for (int turn = 0; turn < 60000; turn++) {
        TypeInfo type = parse(types[(size_t)rand() % type_count]), other = parse(types[(size_t)rand() % type_count]);
        char text[64];
        size_t length = (size_t)rand() % 40;
        for (size_t i = 0; i < length; i++)
            text[i] = letters[(size_t)rand() % (sizeof letters - 1)];
        if (turn % 2) {
            length = (size_t)snprintf(text, sizeof text, "%s", good[rand() % 10]);
            text[(size_t)rand() % length] = letters[(size_t)rand() % (sizeof letters - 1)];
        }
        char *exact = malloc(length + 1); /* so that a read behind its end is seen */
        memcpy(exact, text, length);
        exact = realloc(exact, length ? length : 1);
        wrong += !random_value(&type, &other, exact, length);
        free(exact);
    }
    char found[32];
    snprintf(found, sizeof found, "%d", wrong);
    check(wrong == 0, "60000 random texts: the text of a value gives the value again", "0", found);
}

int main(void)
{
    test_random();
    test_numbers();
    test_times();
    test_texts();
    test_orders();
    printf("%d of %d failed\n", failed, number);
    return failed ? 1 : 0;
}
