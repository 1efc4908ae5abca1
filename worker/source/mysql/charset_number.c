/*
 * charset_number.c - character sets by the numbers of their collations, which both servers share.
 *
 * information_schema.collations of MySQL 9.7 and MariaDB 10.11: a number above 1024 is that of the collation 1024 lower without padding (MariaDB), those from 2048 on
 * are UCA 14 in blocks of 256.
 */
#include "source/mysql/charset.h"

#include <string.h>

static const struct {
    uint16_t first, last;
    const char *name;
} ranges[] = {
    {101, 124, "utf16"},   {128, 159, "ucs2"},    {160, 183, "utf32"},   {192, 223, "utf8mb3"}, {224, 247, "utf8mb4"},
    {248, 250, "gb18030"}, {255, 323, "utf8mb4"}, {576, 607, "utf8mb3"}, {608, 639, "utf8mb4"}, {640, 671, "ucs2"},
    {672, 703, "utf16"},   {736, 767, "utf32"},   {2048, 2303, "utf8mb3"}, {2304, 2559, "utf8mb4"}, {2560, 2815, "ucs2"},
    {2816, 3071, "utf16"}, {3072, 3327, "utf32"},
};

static const char *const firsts[] = {
    [1] = "big5", [2] = "latin2", [3] = "dec8", [4] = "cp850", [5] = "latin1", [6] = "hp8",
    [7] = "koi8r", [8] = "latin1", [9] = "latin2", [10] = "swe7", [11] = "ascii", [12] = "ujis",
    [13] = "sjis", [14] = "cp1251", [15] = "latin1", [16] = "hebrew", [18] = "tis620", [19] = "euckr",
    [20] = "latin7", [21] = "latin2", [22] = "koi8u", [23] = "cp1251", [24] = "gb2312", [25] = "greek",
    [26] = "cp1250", [27] = "latin2", [28] = "gbk", [29] = "cp1257", [30] = "latin5", [31] = "latin1",
    [32] = "armscii8", [33] = "utf8mb3", [34] = "cp1250", [35] = "ucs2", [36] = "cp866", [37] = "keybcs2",
    [38] = "macce", [39] = "macroman", [40] = "cp852", [41] = "latin7", [42] = "latin7", [43] = "macce",
    [44] = "cp1250", [45] = "utf8mb4", [46] = "utf8mb4", [47] = "latin1", [48] = "latin1", [49] = "latin1",
    [50] = "cp1251", [51] = "cp1251", [52] = "cp1251", [53] = "macroman", [54] = "utf16", [55] = "utf16",
    [56] = "utf16le", [57] = "cp1256", [58] = "cp1257", [59] = "cp1257", [60] = "utf32", [61] = "utf32",
    [62] = "utf16le", [63] = "binary", [64] = "armscii8", [65] = "ascii", [66] = "cp1250", [67] = "cp1256",
    [68] = "cp866", [69] = "dec8", [70] = "greek", [71] = "hebrew", [72] = "hp8", [73] = "keybcs2",
    [74] = "koi8r", [75] = "koi8u", [76] = "utf8mb3", [77] = "latin2", [78] = "latin5", [79] = "latin7",
    [80] = "cp850", [81] = "cp852", [82] = "swe7", [83] = "utf8mb3", [84] = "big5", [85] = "euckr",
    [86] = "gb2312", [87] = "gbk", [88] = "sjis", [89] = "tis620", [90] = "ucs2", [91] = "ujis",
    [92] = "geostd8", [93] = "geostd8", [94] = "latin1", [95] = "cp932", [96] = "cp932", [97] = "eucjpms",
    [98] = "eucjpms", [99] = "cp1250",
};

const char *charset_of_collation(uint32_t number)
{
    if (number > 1024 && number < 2048)
        number -= 1024;
    if (number < sizeof firsts / sizeof firsts[0])
        return firsts[number] ? firsts[number] : "";
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (number >= ranges[i].first && number <= ranges[i].last)
            return ranges[i].name;
    }
    return "";
}

uint32_t charset_width(const char *name)
{
    static const char *const wide[] = {"utf8mb4", "utf16", "utf16le", "utf32", "gb18030"}, *const three[] = {"utf8mb3", "utf8", "ujis", "eucjpms"},
                            *const two[] = {"ucs2", "big5", "cp932", "sjis", "gbk", "gb2312", "euckr"};

    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        if (strcmp(name, wide[i]) == 0)
            return 4;
    }
    for (size_t i = 0; i < sizeof three / sizeof three[0]; i++) {
        if (strcmp(name, three[i]) == 0)
            return 3;
    }
    for (size_t i = 0; i < sizeof two / sizeof two[0]; i++) {
        if (strcmp(name, two[i]) == 0)
            return 2;
    }
    return 1;
}
