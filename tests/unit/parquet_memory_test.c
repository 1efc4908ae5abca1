/* parquet_memory_test.c - what an encoder of Parquet holds where few values stand for many bytes (worker/format/parquet/page.c). */
#include "check.h"
#include "format/format.h"

#include <malloc.h>
#include <stdlib.h>

enum { DOCUMENTS = 6, DOCUMENT_BYTES = 100 * 1024, BATCHES = 700, ROWS = 3 };

static Error error;

static int count_bytes(void *context, const void *data, size_t length, Error *ignored)
{
    (void)data;
    (void)ignored;
    *(uint64_t *)context += length;
    return 0;
}

static size_t memory_held(void)
{
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

/* No two documents are alike, and none compresses to nothing. */
static void documents_fill(char *bytes)
{
    uint64_t state = 88172645463325252;

    for (size_t i = 0; i < (size_t)DOCUMENTS * DOCUMENT_BYTES; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes[i] = (char)('a' + state % 26);
    }
}

static void batch_fill(ColumnBatch *batch, const char *documents, int from)
{
    column_batch_clear(batch);
    for (int row = 0; row < ROWS; row++) {
        column_set_bytes(batch, 0, documents + (size_t)((from + row) % DOCUMENTS) * DOCUMENT_BYTES, DOCUMENT_BYTES, &error);
        batch->op[row] = 'R';
        column_row_end(batch);
    }
}

/* A page of entries has no bound but its rows: what they stand for, here 200 MB, is not written out to be measured. */
static void test_repeated_documents(void)
{
    Field fields[] = {{.name = "document", .type = COLUMN_STRING}};
    const FormatSpec spec = {.format = "parquet", .compression = "zstd", .profile = "sluice", .memory_max = MIB(24)};
    Schema schema = {fields, 1};
    ColumnBatch *batch = calloc(1, sizeof *batch);
    char *documents = malloc((size_t)DOCUMENTS * DOCUMENT_BYTES);
    size_t before = memory_held(), most = before;
    uint64_t bytes = 0;
    int status = 0;
    Format *format;

    documents_fill(documents);
    column_batch_init(batch, &schema, 8, VALUE_BYTES_MAX, &error);
    check(format_open(&spec, &schema, (FormatOutput){count_bytes, &bytes}, &format, &error) == 0, "a file of long documents begins");
    for (int i = 0; i < BATCHES && status == 0; i++) {
        batch_fill(batch, documents, i * ROWS);
        status = format_write(format, batch, 0, batch->rows, &error);
        most = memory_held() > most ? memory_held() : most;
    }
    check(status == 0 && format_finish(format, &error) == 0, "and ends");
    check(most - before < MIB(24), "documents that come again and again take no more memory than an encoder may hold");
    if (most - before >= MIB(24))
        printf("# %zu bytes\n", most - before);
    format_close(format);
    column_batch_free(batch);
    free(batch);
    free(documents);
}

int main(void)
{
    test_repeated_documents();
    return check_end();
}
