/*
 * landing.h - one batch on its way into files: settled seals, reader, encoder, the object under way.
 *
 * The rule it keeps: a row is in exactly one visible object. A file is sealed (attempt, first and last position noted in one
 * transaction that checks the lease) before it can become visible; what stands at a key decides how to go on.
 */
#ifndef SLUICE_LANDING_H
#define SLUICE_LANDING_H

#include "base/column.h"
#include "format/format.h"
#include "pipeline/work.h"

#define POSITION_TEXT_MAX (2 * POSITION_BYTES_MAX + 1)

/* The file being written. */
typedef struct LandingFile {
    SinkObject *object; /* NULL = none open */
    Format *format;
    char attempt[33];
    char key[1100];
    char first[POSITION_TEXT_MAX], last[POSITION_TEXT_MAX];
    uint64_t rows, bytes;
    uint64_t size; /* format_size behind the last batch */
} LandingFile;

typedef struct Landing {
    const Work *work;
    const cJSON *batch;
    int64_t batch_id;
    const char *table;
    bool is_load;
    Schema schema;
    bool lands[256];       /* format_lands of each operation: asked for each row */
    char extension[32];
    char day[11], hour[3]; /* "" until the first row tells */
    char stamp[19];        /* of a change file in dms naming: "20261120-123456789", "" until the first row tells */
    int file_no;           /* of the file under way or the next one */
    char resume[POSITION_TEXT_MAX]; /* "" = from the beginning */
    cJSON *resume_key;     /* key texts of the last sealed row of a load */
    char position[POSITION_TEXT_MAX], position_after[POSITION_TEXT_MAX];
    uint64_t file_bytes_target;
    Reader *reader;
    int64_t nulled;        /* values that readers let go so far gave as null because no type holds them */
    LandingFile file;
    cJSON *seals;          /* every attempt noted for this batch, ours included */
    cJSON *files;          /* figures of the objects that stand (done.files) */
    cJSON *announced;      /* schema files that were put, or found, for this batch (done.announced); NULL = none were asked for */
    bool complete;         /* an adopted file was the last: nothing is left to read */
} Landing;

/* Takes up a claimed batch: what earlier attempts left is adopted or fenced. *landing is the caller's, to be closed in any case. */
int landing_open(Landing *landing, const Work *work, const cJSON *batch, Error *error);
/* Reads on until the range has ended; files that fill up on the way are sealed and completed. On return the last file, if it has
 * rows, is prepared and waits for its seal. *yielded: a load gave way after a file, the batch goes on later. */
int landing_run(Landing *landing, bool *yielded, Error *error);
/* The seal of the file under way (or of a batch without rows); the caller frees it or gives it to a message. */
cJSON *landing_seal(Landing *landing, bool last_file);
/* Takes in what completing the file gave: ours, or an earlier attempt to be adopted (then the batch is read on behind it). */
int landing_settle(Landing *landing, SinkOutcome outcome, const SinkHead *head, Error *error);
void landing_close(Landing *landing);
/* Values landed as null because no type holds them, as far as this worker read the batch: rows of files that an earlier attempt left are not
 * read again, and not counted. */
int64_t landing_nulled(const Landing *landing);
size_t landing_memory(const Landing *landing);
/* What the files of this batch are to be; it borrows from the batch and the claim. */
FormatSpec landing_format(const Landing *landing);
/* Bytes of a Format into the object of `file`, counted in file->bytes. */
FormatOutput landing_output(LandingFile *file);

#endif
