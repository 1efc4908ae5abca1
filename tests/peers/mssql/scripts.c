#include "scripts.h"

#define SCRIPT(name)                                                                                                   \
    __asm__(".section .rodata\n.global " #name "_sql\n" #name "_sql:\n.incbin \"" #name ".sql\"\n.byte 0\n.previous")

SCRIPT(catalog);
SCRIPT(functions);
SCRIPT(database);
SCRIPT(master);
