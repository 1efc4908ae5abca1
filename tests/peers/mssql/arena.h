/*
 * arena.h - memory of one batch: bump allocation, freed as a whole; and a growable text.
 *
 * An allocation that fails ends the process (a simulator has nothing better to do). Nothing here is freed singly.
 */
#ifndef MSSQL_ARENA_H
#define MSSQL_ARENA_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ArenaBlock ArenaBlock;

typedef struct Arena {
    ArenaBlock *blocks;
} Arena;

void *arena_alloc(Arena *arena, size_t size);                    /* zeroed, 16-byte aligned */
char *arena_copy(Arena *arena, const char *text, size_t length); /* adds a terminating zero */
char *arena_format(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vformat(Arena *arena, const char *format, va_list arguments);
void arena_clear(Arena *arena);

/* A text that grows inside an arena; data is always zero-terminated once something was added. */
typedef struct Text {
    Arena *arena;
    char *data;
    size_t length;
    size_t capacity;
} Text;

void text_add(Text *text, const char *data, size_t length);
void text_format(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds '\x..' as a PostgreSQL bytea literal, or NULL for a null pointer. */
void text_add_bytes(Text *text, const uint8_t *data, size_t length);

/* Quoted for PostgreSQL: 'it''s' (standard_conforming_strings on) and "name". */
char *quote_literal(Arena *arena, const char *text, size_t length);
char *quote_name(Arena *arena, const char *name);

#endif
