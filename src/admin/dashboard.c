/* admin/dashboard.c: puts dashboard.html into the program, so that one binary is all that must be installed. The assembler reads the file, which costs no
 * generated source; the path is relative to the root of the project, where make runs. */
#include "admin/dashboard.h"

__asm__(".pushsection .rodata\n"
        ".type dashboard_begin, @object\n"
        "dashboard_begin:\n"
        ".incbin \"src/admin/dashboard.html\"\n"
        "dashboard_end:\n"
        ".size dashboard_begin, . - dashboard_begin\n"
        ".popsection\n");

extern const char dashboard_begin[], dashboard_end[];

const char *dashboard_page(size_t *bytes)
{
    *bytes = (size_t)(dashboard_end - dashboard_begin);
    return dashboard_begin;
}
