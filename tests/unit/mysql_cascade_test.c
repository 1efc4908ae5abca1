/* mysql_cascade_test.c - foreign keys that change rows outside of the log, out of a table's definition */
#include "check.h"
#include "source/mysql/cascade.h"

#include <string.h>

static bool is(const char *text, const char *wanted)
{
    cJSON *list = cJSON_CreateArray();
    char *found;
    bool same;

    cascades_parse(text, "shop", list);
    found = cJSON_PrintUnformatted(list);
    same = strcmp(found, wanted) == 0;
    if (!same)
        printf("# %s\n", found);
    cJSON_free(found);
    cJSON_Delete(list);
    return same;
}

int main(void)
{
    check(is("CREATE TABLE `c` (\n  `a` int(11) NOT NULL,\n  KEY `p` (`a`),\n  CONSTRAINT `c_a` FOREIGN KEY (`a`) REFERENCES `p` (`id`) ON DELETE CASCADE\n) ENGINE=InnoDB",
             "[{\"name\":\"c_a\",\"parent\":\"shop.p\",\"on_delete\":\"CASCADE\",\"on_update\":\"RESTRICT\"}]"),
          "a key with ON DELETE CASCADE is told");
    check(is("x (\n  CONSTRAINT `a``b` FOREIGN KEY (`x) ON DELETE CASCADE`, `y`) REFERENCES `o.db`.`p q` (`i`, `j`) ON DELETE SET NULL ON UPDATE CASCADE,\n"
             "  CONSTRAINT `n` FOREIGN KEY (`x`) REFERENCES `p` (`id`) ON DELETE NO ACTION,\n  CONSTRAINT `k` CHECK (`x` <> ' ON DELETE CASCADE')\n)",
             "[{\"name\":\"a`b\",\"parent\":\"o.db.p q\",\"on_delete\":\"SET NULL\",\"on_update\":\"CASCADE\"}]"),
          "names and columns may be anything, other keys and checks are none");
    check(is("", "[]") && is("  CONSTRAINT `", "[]") && is("  CONSTRAINT `a` FOREIGN KEY (`b", "[]") && is("  CONSTRAINT `a` FOREIGN KEY (`b`) REFERENCES `c`", "[]"),
          "a text that ends anywhere is read no further");
    return check_end();
}
