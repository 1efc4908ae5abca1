#include "arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ArenaBlock {
    ArenaBlock *next;
    size_t used, size;
    _Alignas(16) uint8_t data[];
};

enum { BLOCK_BYTES = 64 * 1024 };

static ArenaBlock *block_new(size_t size)
{
    ArenaBlock *block = malloc(sizeof *block + size);
    if (!block) {
        fputs("mssql-sim: out of memory\n", stderr);
        abort();
    }
    block->next = NULL;
    block->used = 0;
    block->size = size;
    return block;
}

static void *take(Arena *arena, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    ArenaBlock *block = arena->blocks;
    if (!block || block->size - block->used < size) {
        size_t wanted = size > BLOCK_BYTES / 4 ? size : BLOCK_BYTES;
        ArenaBlock *fresh = block_new(wanted);
        if (block && wanted == size) { /* a large piece: keep filling the block at the head */
            fresh->next = block->next;
            block->next = fresh;
        } else {
            fresh->next = block;
            arena->blocks = fresh;
        }
        block = fresh;
    }
    void *ret = block->data + block->used;
    block->used += size;
    return ret;
}

void *arena_alloc(Arena *arena, size_t size)
{
    return memset(take(arena, size ? size : 1), 0, size);
}

char *arena_copy(Arena *arena, const char *text, size_t length)
{
    char *ret = take(arena, length + 1);
    if (length)
        memcpy(ret, text, length);
    ret[length] = 0;
    return ret;
}

char *arena_vformat(Arena *arena, const char *format, va_list arguments)
{
    if (!format) /* told to the compiler: a sanitizer build warns of it otherwise */
        abort();
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *ret = take(arena, (size_t)length + 1);
    vsnprintf(ret, (size_t)length + 1, format, again);
    va_end(again);
    return ret;
}

char *arena_format(Arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *ret = arena_vformat(arena, format, arguments);
    va_end(arguments);
    return ret;
}

void arena_clear(Arena *arena)
{
    ArenaBlock *block = arena->blocks;
    while (block) {
        ArenaBlock *next = block->next;
        free(block);
        block = next;
    }
    arena->blocks = NULL;
}

static char *reserve(Text *text, size_t more)
{
    if (text->length + more + 1 > text->capacity) {
        size_t capacity = text->capacity ? text->capacity * 2 : 256;
        while (capacity < text->length + more + 1)
            capacity *= 2;
        char *data = take(text->arena, capacity);
        if (text->length)
            memcpy(data, text->data, text->length);
        data[text->length] = 0;
        text->data = data;
        text->capacity = capacity;
    }
    return text->data + text->length;
}

void text_add(Text *text, const char *data, size_t length)
{
    char *to = reserve(text, length);
    memcpy(to, data, length);
    to[length] = 0;
    text->length += length;
}

void text_format(Text *text, const char *format, ...)
{
    if (!format)
        abort();
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    vsnprintf(reserve(text, (size_t)length), (size_t)length + 1, format, again);
    text->length += (size_t)length;
    va_end(again);
    va_end(arguments);
}

void text_add_bytes(Text *text, const uint8_t *data, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    if (!data) {
        text_add(text, "NULL::bytea", 11);
        return;
    }
    char *to = reserve(text, length * 2 + 12);
    memcpy(to, "'\\x", 3);
    to += 3;
    for (size_t i = 0; i < length; i++) {
        *to++ = digits[data[i] >> 4];
        *to++ = digits[data[i] & 15];
    }
    memcpy(to, "'::bytea", 9);
    text->length += length * 2 + 11;
}

char *quote_literal(Arena *arena, const char *text, size_t length)
{
    char *ret = take(arena, length * 2 + 3), *to = ret;
    *to++ = '\'';
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\'')
            *to++ = '\'';
        if (text[i]) /* PostgreSQL has no zero character in text */
            *to++ = text[i];
    }
    *to++ = '\'';
    *to = 0;
    return ret;
}

char *quote_name(Arena *arena, const char *name)
{
    size_t length = strlen(name);
    char *ret = take(arena, length * 2 + 3), *to = ret;
    *to++ = '"';
    for (size_t i = 0; i < length; i++) {
        if (name[i] == '"')
            *to++ = '"';
        *to++ = name[i];
    }
    *to++ = '"';
    *to = 0;
    return ret;
}
