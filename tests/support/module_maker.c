/* SPDX-License-Identifier: MIT */
#include "support/module_maker.h"

#include <elf.h>
#include <string.h>

size_t module_maker(uint8_t bytes[MODULE_MAKER_MAX], const char *info, size_t info_len)
{
    static const char names[] = "\0.modinfo\0.shstrtab";
    size_t names_at = sizeof(Elf64_Ehdr), info_at = names_at + sizeof names;
    size_t table_at = (info_at + info_len + 7) / 8 * 8;
    Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_REL,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_shoff = table_at,
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = 3,
        .e_shstrndx = 2,
    };
    Elf64_Shdr sections[3] = {
        {0},
        {.sh_name = 1, .sh_type = SHT_PROGBITS, .sh_offset = info_at, .sh_size = info_len},
        {.sh_name = 10, .sh_type = SHT_STRTAB, .sh_offset = names_at, .sh_size = sizeof names},
    };
    memset(bytes, 0, MODULE_MAKER_MAX);
    memcpy(bytes, &header, sizeof header);
    memcpy(bytes + names_at, names, sizeof names);
    memcpy(bytes + info_at, info, info_len);
    memcpy(bytes + table_at, sections, sizeof sections);
    return table_at + sizeof sections;
}
