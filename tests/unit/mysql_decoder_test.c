/* mysql_decoder_test.c - a log's events become items; bytes recorded from MySQL 9.7.4 and MariaDB 10.11.19 */
#include "base/hex.h"
#include "check.h"
#include "source/mysql/bytes.h"
#include "source/mysql/log_decoder.h"
#include "source/mysql/log_event.h"
#include "source/mysql/log_payload.h"
#include "source/mysql/log_query.h"

#include <inttypes.h>
#include <stdlib.h>
#include <zlib.h>

static const char mysql_format[] =
    "8468006b0f010000007b0000007f00000001000400392e372e342d3200000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000013000d0008000000000400040000006300041a08000000000000020000000a0a0a2a2a0012"
    "34000a2800000197162b25";

static const char mysql_previous[] =
    "8468006b230100000047000000c600000080000100000000000000d0afe0d3e4f711f186eb02fc0000000101000000000000000100000000"
    "000000050000000000000044daa8a0";

static const char mysql_payload[] =
    "8568006b21010000004f000000440c0000000000d0afe0d3e4f711f186eb02fc000000010e000000000000000209000000000000000a0000"
    "00000000009c42e6fab66006fc0a0150620100a86cf8258568006b2801000000bb000000ff0c000000000201000303fc8f010101980028b5"
    "2ffd608f0075040062c71926804bd201b0046660673017f12c9145c55075ef25c8d2ff224b4cf41e28dfbeaf50c6d8889429ff7f2341a86c"
    "f91153beff70eb5df22c3a14cc48c3bb1400dd3eac93e5a603d62d7e9c987718aaa96b22894c8f6f851b7456860526ce0cae583a1af2b3d5"
    "d4151000a004e2ee26080f260ee052057d608c4030029a03178cb02ab79c656920302864005e190c7b88";

static const char mysql_tagged[] =
    "8568006b2a0100000053000000ad0e000000000278000000024103bd0281034d039103dd0322c5031902ad0304f103000000020404060874"
    "61677808240a300c7f8c47e6fab66006109d041283120bb8a03c9f8568006b020100000047000000f40e0000080011000000000000000000"
    "001d000000000000012000a04500000000060373746404ff00ff00ff0012ff0000424547494e49931e2a8568006b13010000004100000035"
    "0f000000006d0000000000010001640001740002030f029001020101000203fcff00040502696401760801000c01c0d144e1568568006b1e"
    "010000002d000000620f000000006d00000000001100020002ff00280000000300746167c4db12158568006b10010000001f000000810f00"
    "0000003e00000000000000b99973a0";

static const char mysql_xa[] =
    "8568006b21010000004f00000060040000000000d0afe0d3e4f711f186eb02fc000000010800000000000000020200000000000000040000"
    "00000000003dadd8fab66006fc9501506201009cacc4e78568006b02010000005a000000ba04000008000e000000000000000000001d0000"
    "00000000012000a04500000000060373746404ff00ff00ff0012ff0000584120535441525420582736313632272c58273633272c37d585df"
    "ad8568006b130100000041000000fb04000000006d0000000000010001640001740002030f029001020101000203fcff0004050269640176"
    "0801000c01c066019c1e8568006b1e010000002c0000002705000000006d00000000001100020002ff000a000000020078614de52c8b8568"
    "006b0201000000580000007f05000008000e000000000000000000001d000000000000012000a04500000000060373746404ff00ff00ff00"
    "12ff0000584120454e4420582736313632272c58273633272c37cff587b38568006b260100000027000000a6050000000000070000000200"
    "0000010000006162636ed6c3c68568006b21010000004d000000f3050000000001d0afe0d3e4f711f186eb02fc0000000109000000000000"
    "000204000000000000000500000000000000fa7edcfab66006a850620100d0bd914e8568006b02010000005b0000004e06000008000f0000"
    "00000000000000001d000000000000012000a04500000000060373746404ff00ff00ff0012ff0000584120434f4d4d495420582736313632"
    "272c58273633272c3711c253d8";

static const char mariadb_format[] =
    "d167006b0f01000000fc000000000100000000040031302e31312e31392d4d6172696144422d302b646562313275312d6c6f670000000000"
    "0000000000000000000000000000000000000013380d000800120004040404120000e400041a08000000080808020000000a0a0a00000000"
    "00000a0a0a000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "000000000000000000000000041304000d0808080a0a0a010b64dc2c";

static const char mariadb_list[] =
    "d167006ba3010000002b0000002b0100000000010000000000000001000000060000000000000047d7f55c";

static const char mariadb_compressed[] =
    "5868006ba2010000002a0000007a01000008001400000000000000000000000c00000000000024e39a5a5868006ba00100000058000000d2"
    "0100000000696e7365727420696e746f20642e742076616c756573283230302c726570656174282778272c31303029292c283230312c7265"
    "70656174282779272c3130302929c0342b085868006b13010000002c000000fe0100000000120000000000010001640001740002030f0264"
    "0002190b9edf5868006ba6010000003b0000003902000000001200000000000100020381d4789cfb7382818121a5820ee0cf49904d957400"
    "00a6a76276e34c3a145868006b10010000001f0000005802000000000b000000000000004489f28f";

static const char mariadb_xa[] =
    "d167006ba2010000002f000000c607000008000d00000000000000000000004c07000000020161626301ff8644aa70d167006ba001000000"
    "36000000fc0700000000696e7365727420696e746f20642e742076616c7565732831302c2778612729159f6b3dd167006b13010000002c00"
    "0000280800000000130000000000010001640001740002030f0264000299781618d167006b17010000002900000051080000000013000000"
    "000001000203fc0a000000027861ff0cb1f1d167006b020100000055000000a608000008000e000000000000000000001a00000000000101"
    "000020540000000006037374640421002100080000584120454e4420582736313632272c58273633272c37f1ba1b07d167006b2601000000"
    "27000000cd0800000000000700000002000000010000006162638e5aec8fd167006ba2010000002d000000fa08000008000e000000000000"
    "00000000008d0700000002016162633b0e89cfd167006b0201000000580000005209000008000e000000000000000000001a000000000001"
    "01000020540000000006037374640421002100080000584120434f4d4d495420582736313632272c58273633272c3739551fb9";

/* Events of a stream, put together one after another. */
typedef struct Stream {
    uint8_t bytes[16384];
    size_t length;
    uint64_t offset; /* in the file, behind the last event */
} Stream;

static void stream_hex(Stream *stream, const char *digits)
{
    size_t length = strlen(digits) / 2;

    hex_decode(digits, stream->bytes + stream->length, length);
    stream->length += length;
}

static void little(uint8_t *to, uint64_t number, int count)
{
    for (int i = 0; i < count; i++)
        to[i] = (uint8_t)(number >> 8 * i);
}

/* An event of the server's making, with checksum; log_pos 0 for those that stand in no file. */
static void stream_event(Stream *stream, uint8_t type, uint16_t flags, const void *body, size_t length)
{
    uint8_t *event = stream->bytes + stream->length;
    size_t size = LOG_EVENT_HEADER + length + LOG_EVENT_CHECKSUM;

    stream->offset += flags & LOG_EVENT_ARTIFICIAL ? 0 : size;
    little(event, 1795188869, 4);
    event[4] = type;
    little(event + 5, 1, 4);
    little(event + 9, size, 4);
    little(event + 13, flags & LOG_EVENT_ARTIFICIAL ? 0 : stream->offset, 4);
    little(event + 17, flags, 2);
    if (length)
        memcpy(event + LOG_EVENT_HEADER, body, length);
    little(event + LOG_EVENT_HEADER + length, crc32(0, event, (uInt)(LOG_EVENT_HEADER + length)), 4);
    stream->length += size;
}

static void stream_query(Stream *stream, uint16_t flags, const char *database, const char *text)
{
    uint8_t body[512] = {0};
    size_t name = strlen(database), length = strlen(text);

    body[8] = (uint8_t)name;
    memcpy(body + 13, database, name + 1);
    memcpy(body + 13 + name + 1, text, length);
    stream_event(stream, LOG_QUERY, flags, body, 13 + name + 1 + length);
}

static void stream_rotate(Stream *stream, uint16_t flags, uint64_t offset, const char *name)
{
    uint8_t body[64];

    little(body, offset, 8);
    memcpy(body + 8, name, strlen(name));
    stream_event(stream, LOG_ROTATE, flags, body, 8 + strlen(name));
}

static const char *const names[] = {"map",       "rows",    "statement", "commit",      "rollback",
                                    "savepoint", "prepare", "xa_commit", "xa_rollback", "idle"};

static void item_write(const BinlogItem *item, Buffer *text, Error *error)
{
    buffer_format(text, error, "%s %u:%" PRIu64 "-%" PRIu64, names[item->type], item->begin.file, item->begin.offset,
                  item->end.offset);
    if (item->code)
        buffer_format(text, error, " code %u", item->code);
    if (item->inner)
        buffer_format(text, error, " inner %" PRIu64, item->inner);
    if (item->xa)
        buffer_text(text, " xa", error);
    if (item->type == BINLOG_STATEMENT)
        buffer_format(text, error, " [%s] %.*s", item->database, (int)item->length, (const char *)item->data);
    else if (item->type >= BINLOG_PREPARE && item->data)
        buffer_format(text, error, " %.*s", (int)item->length, (const char *)item->data);
    else if (item->length)
        buffer_format(text, error, " %zu bytes", item->length);
    buffer_text(text, "\n", error);
}

/* Feeds the stream: the items, a line each, then where it stands, or the error. Each event is a block of its own, so
 * that a sanitizer sees a read beyond it. */
static char *items_of(LogDecoder *decoder, const Stream *stream)
{
    Buffer text;
    Error error = {0}, unused;
    size_t at = 0;

    buffer_init(&text, 1 << 20);
    while (at < stream->length) {
        size_t size = (size_t)stream->bytes[at + 9] | (size_t)stream->bytes[at + 10] << 8;
        uint8_t *event = malloc(size);
        const BinlogItem *item = NULL;
        int failed;

        memcpy(event, stream->bytes + at, size);
        at += size;
        failed = log_decoder_feed(decoder, event, size, &error);
        while (!failed && (failed = log_decoder_next(decoder, &item, &error)) == 0 && item)
            item_write(item, &text, &unused);
        free(event);
        if (failed) {
            buffer_format(&text, &unused, "%s: %s\n", error_kind_name(error.kind), error.message);
            break;
        }
    }
    buffer_format(&text, &unused, "at %s:%" PRIu64, log_decoder_file(decoder), log_decoder_position(decoder).offset);
    if (log_decoder_gtid(decoder)) {
        buffer_text(&text, " ", &unused);
        gtid_text(log_decoder_gtid(decoder), &text, &unused);
    }
    buffer_terminate(&text, &unused);
    return text.data;
}

static void check_items(const LogDecoderStart *start, const Stream *stream, const char *wanted, const char *name)
{
    LogDecoder *decoder;
    Error error;
    char *found;

    if (log_decoder_open(start, &decoder, &error) < 0) {
        check(false, name);
        return;
    }
    found = items_of(decoder, stream);
    check_text(found, wanted, name);
    free(found);
    log_decoder_close(decoder);
}

static Stream mysql_stream(uint64_t offset)
{
    Stream stream = {0};

    stream_rotate(&stream, LOG_EVENT_ARTIFICIAL, 4, "binlog.000002");
    stream_hex(&stream, mysql_format);
    stream_hex(&stream, mysql_previous);
    stream.offset = offset;
    return stream;
}

static Stream mariadb_stream(void)
{
    Stream stream = {0};

    stream_rotate(&stream, LOG_EVENT_ARTIFICIAL, 4, "bin.000002");
    stream_hex(&stream, mariadb_format);
    stream_hex(&stream, mariadb_list);
    stream.offset = 299;
    return stream;
}

#define UUID "d0afe0d3-e4f7-11f1-86eb-02fc00000001"

static void recorded(void)
{
    LogDecoderStart mysql = {.gtids = true}, mariadb = {.mariadb = true, .gtids = true};
    Stream stream = mysql_stream(0);

    check_items(&mysql, &stream, "at binlog.000002:198 " UUID ":1-4", "a file's begin tells the place and the set");
    stream_hex(&stream, mysql_xa);
    check_items(
        &mysql, &stream,
        "map 2:1041-1275 xa 42 bytes\nrows 2:1041-1319 code 30 xa 21 bytes\nprepare 2:1041-1446 xa X'6162',X'63',7\n"
        "xa_commit 2:1446-1614 X'6162',X'63',7\ncommit 2:1446-1614\nat binlog.000002:1614 " UUID ":1-4:8-9",
        "MySQL: a prepared group and its commit bear one name");
    stream = mysql_stream(0);
    stream_hex(&stream, mysql_payload);
    check_items(
        &mysql, &stream,
        "map 2:3061-3327 inner 2 42 bytes\nrows 2:3061-3327 code 30 inner 3 225 bytes\ncommit 2:3061-3327 inner 4\n"
        "at binlog.000002:3327 " UUID ":1-4:14",
        "MySQL: a compressed transaction is one place with numbered events");
    stream = mysql_stream(0);
    stream_hex(&stream, mysql_tagged);
    check_items(
        &mysql, &stream,
        "map 2:3674-3893 42 bytes\nrows 2:3674-3938 code 30 22 bytes\ncommit 2:3674-3969\nat binlog.000002:3969 " UUID
        ":1-4:tagx:1",
        "MySQL: a tagged GTID is counted");
    stream = mariadb_stream();
    stream_hex(&stream, mariadb_xa);
    check_items(
        &mariadb, &stream,
        "map 2:1943-2088 xa 21 bytes\nrows 2:1943-2129 code 23 xa 18 bytes\nprepare 2:1943-2253 xa X'6162',X'63',7\n"
        "xa_commit 2:2253-2386 X'6162',X'63',7\ncommit 2:2253-2386\nat bin.000002:2386 0-1-14",
        "MariaDB: a prepared group and its commit bear one name");
    stream = mariadb_stream();
    stream_hex(&stream, mariadb_compressed);
    check_items(&mariadb, &stream,
                "map 2:336-510 21 bytes\nrows 2:336-569 code 23 222 bytes\ncommit 2:336-600\nat bin.000002:600 0-1-20",
                "MariaDB: compressed rows come inflated");
}

static void groups(void)
{
    LogDecoderStart start = {0};
    Stream stream = mysql_stream(198);

    stream_query(&stream, 0, "shop", "CREATE TABLE a (b int)");
    stream_query(&stream, 0, "shop", "BEGIN");
    stream_query(&stream, 0, "shop", "insert into a values (1)");
    stream_query(&stream, 0, "", "SAVEPOINT `x`");
    stream_query(&stream, 0, "", "rollback to `x`");
    stream_query(&stream, 0, "shop", "COMMIT");
    stream_query(&stream, 0, "shop", "BEGIN");
    stream_query(&stream, 0, "shop", "ROLLBACK");
    check_items(&start, &stream,
                "statement 2:198-261 [shop] CREATE TABLE a (b int)\ncommit 2:198-261\n"
                "statement 2:261-372 [shop] insert into a values (1)\nsavepoint 2:261-474\ncommit 2:261-521\n"
                "rollback 2:521-616\nat binlog.000002:616",
                "a group is what lies between BEGIN and its end; a statement outside is one");
}

static void files(void)
{
    LogDecoderStart start = {0}, far = {.file = "binlog.000002", .offset = (UINT64_C(1) << 32) + 198, .seek = true};
    Stream stream = mysql_stream(198);

    stream_rotate(&stream, 0, 4, "binlog.000003");
    stream_rotate(&stream, LOG_EVENT_ARTIFICIAL, 4, "binlog.000003");
    stream_hex(&stream, mysql_format);
    check_items(&start, &stream, "at binlog.000003:127", "a rotation leads to the next file, told once or twice");
    stream = mysql_stream(198);
    stream_query(&stream, 0, "shop", "BEGIN");
    stream_rotate(&stream, LOG_EVENT_ARTIFICIAL, 4, "binlog.000003");
    check_items(&start, &stream, "rollback 2:198-244\nat binlog.000003:4",
                "a group whose file ends was never committed");
    /* The log_pos of a header has 32 bits. */
    stream = mysql_stream(UINT32_MAX - 100);
    stream_query(&stream, 0, "shop", "CREATE TABLE a (b int)");
    stream_query(&stream, 0, "shop", "CREATE TABLE c (b int)");
    check_items(&start, &stream,
                "statement 2:4294967195-4294967258 [shop] CREATE TABLE a (b int)\ncommit 2:4294967195-4294967258\n"
                "statement 2:4294967258-4294967321 [shop] CREATE TABLE c (b int)\ncommit 2:4294967258-4294967321\nat "
                "binlog.000002:4294967321",
                "offsets above 4 GiB are counted on");
    far.offset = 4294967258;
    check_items(&far, &stream,
                "statement 2:4294967258-4294967321 [shop] CREATE TABLE c (b int)\ncommit 2:4294967258-4294967321\nat "
                "binlog.000002:4294967321",
                "a start that no request can name is sought from the file's begin");
}

static void refusals(void)
{
    LogDecoderStart start = {0};
    Stream stream = mysql_stream(198);
    static const uint8_t incident[] = {1, 0, 4, 'l', 'o', 's', 't'};

    stream_event(&stream, 99, LOG_EVENT_IGNORABLE, "x", 1);
    stream_event(&stream, 99, 0, "x", 1);
    check_items(&start, &stream, "permanent: the log holds an event of the unknown type 99\nat binlog.000002:222",
                "an unknown event is passed over only where it may be");
    stream = mysql_stream(198);
    stream_event(&stream, LOG_INCIDENT, 0, incident, sizeof incident);
    check_items(&start, &stream, "permanent: the server wrote an incident into its log: lost\nat binlog.000002:198",
                "an incident stops");
    stream = mysql_stream(198);
    stream_event(&stream, LOG_PARTIAL_UPDATE, 0, "x", 1);
    check_items(
        &start, &stream,
        "permanent: the log holds parts of JSON values (binlog_row_value_options = PARTIAL_JSON)\nat binlog.000002:198",
        "parts of values are refused");
    stream = mysql_stream(198);
    stream_query(&stream, 0, "shop", "BEGIN");
    stream.bytes[stream.length - 1] ^= 1;
    check_items(&start, &stream,
                "transient: an event of type 2 ending at 244 has a wrong checksum\nat binlog.000002:198",
                "a checksum is verified");
}

/* Whatever a byte or a length says: an error or items, never a read beyond an event (the sanitizers' part), never
 * without an end. */
static void damaged(void)
{
    static const char *const samples[] = {mysql_xa, mysql_payload, mysql_tagged, mariadb_xa, mariadb_compressed};
    LogDecoderStart start = {.gtids = true};
    bool ended = true;

    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        Stream whole = i < 3 ? mysql_stream(0) : mariadb_stream();
        size_t begin = whole.length;

        stream_hex(&whole, samples[i]);
        start.mariadb = i >= 3;
        for (size_t at = begin; at < whole.length; at++) {
            Stream changed = whole;
            LogDecoder *decoder;
            Error error;
            size_t next;

            changed.bytes[at] ^= (uint8_t)(1 + at * 7 % 255);
            /* Sizes stay: who delivers packets knows them. Checksums are made right, or nothing behind them would be
             * seen. */
            for (size_t event = begin; event < whole.length; event = next) {
                size_t size = (size_t)whole.bytes[event + 9] | (size_t)whole.bytes[event + 10] << 8;

                next = event + size;
                memcpy(changed.bytes + event + 9, whole.bytes + event + 9, 4);
                little(changed.bytes + next - 4, crc32(0, changed.bytes + event, (uInt)(size - 4)), 4);
            }
            ended = ended && log_decoder_open(&start, &decoder, &error) == 0;
            if (ended)
                free(items_of(decoder, &changed));
            log_decoder_close(decoder);
        }
    }
    check(ended, "a log with any byte changed is decoded or refused");
}

static void words(void)
{
    static const struct {
        const char *text;
        QueryType type;
    } cases[] = {{"BEGIN", QUERY_BEGIN},
                 {"begin ", QUERY_BEGIN},
                 {"BEGIN NOT ATOMIC SELECT 1; END", QUERY_OTHER},
                 {"COMMIT", QUERY_COMMIT},
                 {"ROLLBACK", QUERY_ROLLBACK},
                 {"ROLLBACK TO `a`", QUERY_ROLLBACK_TO},
                 {"rollback  work to savepoint a", QUERY_ROLLBACK_TO},
                 {"SAVEPOINT `a`", QUERY_SAVEPOINT},
                 {"XA START X'61',X'',1", QUERY_XA_START},
                 {"XA END X'61',X'',1", QUERY_XA_END},
                 {"XA COMMIT X'61',X'',1", QUERY_XA_COMMIT},
                 {"XA COMMIT X'61',X'',1 ONE PHASE", QUERY_XA_COMMIT_ONE_PHASE},
                 {"XA ROLLBACK 'a'", QUERY_XA_ROLLBACK},
                 {"XA ROLLBACK X'6", QUERY_OTHER},
                 {"", QUERY_OTHER},
                 {"XA", QUERY_OTHER}};
    bool right = true;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        LogQuery query = {.text = (const uint8_t *)cases[i].text, .length = strlen(cases[i].text)};

        log_query_classify(&query);
        if (query.type != cases[i].type)
            printf("# %s is %d\n", cases[i].text, query.type);
        right = right && query.type == cases[i].type &&
                (query.type < QUERY_XA_START || strcmp(query.xid, "X'61',X'',1") == 0);
    }
    check(right, "transaction control is known by its words");
}

int main(void)
{
    recorded();
    groups();
    files();
    refusals();
    damaged();
    words();
    return check_end();
}
