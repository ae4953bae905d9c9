/* SPDX-License-Identifier: MIT */
#include "artifact/tar_block.h"
#include "base/error.h"
#include "base/memory.h"

void tar_member_done(struct tar_member *member)
{
    free(member->path);
    free(member->link);
    for (size_t i = 0; i < member->xattr_count; i++) {
        free(member->xattrs[i].name);
        free(member->xattrs[i].value);
    }
    free(member->xattrs);
    free(member->pieces);
    *member = (struct tar_member){0};
}

const char *tar_type_name(enum tar_type type)
{
    switch (type) {
    case TAR_FILE:
        return "file";
    case TAR_HARDLINK:
        return "hard link";
    case TAR_SYMLINK:
        return "symlink";
    case TAR_CHARACTER_DEVICE:
        return "character device";
    case TAR_BLOCK_DEVICE:
        return "block device";
    case TAR_DIRECTORY:
        return "directory";
    case TAR_FIFO:
        return "fifo";
    }
    return "member";
}

bool tar_member_type(
    enum tar_profile profile, char typeflag, enum tar_type *type, struct error *err)
{
    switch (typeflag) {
    case '7':
        if (profile == TAR_BUNDLE) {
            break;
        }
        *type = TAR_FILE;
        return true;
    case '0':
    case '\0':
        *type = TAR_FILE;
        return true;
    case '1':
        *type = TAR_HARDLINK;
        return true;
    case '2':
        *type = TAR_SYMLINK;
        return true;
    case '3':
        *type = TAR_CHARACTER_DEVICE;
        return true;
    case '4':
        *type = TAR_BLOCK_DEVICE;
        return true;
    case '5':
        *type = TAR_DIRECTORY;
        return true;
    case '6':
        *type = TAR_FIFO;
        return true;
    case 'S':
        if (profile == TAR_SPARSE) {
            *type = TAR_FILE;
            return true;
        }
        return error_set(err, ERROR_FORMAT, "sparse members are not accepted");
    default:
        break;
    }
    return error_set(err, ERROR_FORMAT, "a member of unknown type 0x%02x", (unsigned char)typeflag);
}
