/* SPDX-License-Identifier: MIT */
#pragma once

/* The initrd the engine builds for a kernel: our guest program as /init and the few modules that
 * this kernel does not have built in, as an uncompressed newc cpio (linux
 * Documentation/driver-api/early-userspace/buffer-format.rst), the same bytes for the same input.
 * The kernel takes several archives in a row, so the facts of one machine follow as a small second
 * one: the engine copies the cached initrd of the kernel and appends. Blocking; workers only.
 *
 * In the initrd: /init, /dev/console, /modules/order (a module file's name per line, in the order
 * to load them) and /modules/<name>.ko, decompressed; /modules/more the same for those that only some
 * machines need. The machine's facts are in the file
 * INITRD_FACTS.
 *
 * FACTS: lines "key=value"; a key may come several times; in values \n stands for a line feed and
 * \\ for a backslash (initrd_put_fact writes them); unknown keys are skipped. The same as words on
 * the kernel's command line with "banger." in front (banger.root=copy) win over the file. Keys:
 *     root      overlay (default): the disk with serial "image", read-only, under the disk with
 *               serial "upper". copy: the disk with serial "root", read-write
 *     image, upper, disk
 *               another serial number for the disk of that purpose, or its ext4 label, or /dev/…
 *     disks     names of the disks in their order, separated by commas, where the VMM gives them no
 *               serial number: /dev/vda, /dev/vdb, …
 *     fstype    of the image or root disk, default ext4
 *     hostname  also written to /etc/hostname and /etc/hosts where they say otherwise
 *     init      program to become PID 1, instead of the first of /sbin/init,
 *               /usr/lib/systemd/systemd, /lib/systemd/systemd, /etc/init, /bin/init that is there;
 *               "none": our own. `init=` on the command line counts as well.
 *     address   of the first Ethernet device, with prefix length; default 10.0.2.15/24; "none"
 *               leaves the network alone
 *     gateway   default 10.0.2.2
 *     dns       several; default 10.0.2.3. Written to /etc/resolv.conf, or for
 *               systemd-resolved where that is a link
 *     time      seconds since 1970: the clock is set forward to it when it is behind
 *     arg       several: the image's entrypoint and command, run by our own init only
 *     env       several, K=V: of the image; for the entrypoint and for every exec
 *     workdir   of the image; the same
 *     user      of the image; the same
 *     mount     several, "KIND SOURCE MODE PATH": KIND disk (SOURCE as above, ext4) or 9p (SOURCE
 *               the tag), MODE ro or rw, PATH in the machine's root, made when it is missing
 *     ssh_key   several: public keys for root's authorized_keys, in place of those of the start
 *               before
 *     agent     none: no agent */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/text.h"

struct cancel;
struct error;
struct limits;

#define INITRD_FACTS "banger.conf"

struct initrd_report {
    struct strings modules; /* put in, in load order */
    struct strings missing; /* wanted, neither a module nor known to be built in: a kernel whose
                             * modules.builtin is absent may still have them */
    uint64_t size_bytes;    /* of the archive */
};

void initrd_report_done(struct initrd_report *report);

/* Writes the initrd at out_fd's position. modules_dir holds the contents of lib/modules/<version>
 * (kernel/, and modules.builtin where the distribution ships it) or is -1 when the kernel has none.
 * A damaged module is ERROR_FORMAT naming it. */
bool initrd_build(int modules_dir, const void *guest, size_t guest_len, int out_fd,
    struct initrd_report *report, const struct limits *limits, const struct cancel *cancel,
    struct error *err);

/* Whether initrd_build takes the module of that name along when it finds it; '_' for '-'. */
bool initrd_carries(const char *module);

/* Appends an archive with one regular file to the end of out_fd. name is relative and holds no
 * directory. */
bool initrd_append_file(
    int out_fd, const char *name, const void *bytes, size_t len, mode_t mode, struct error *err);

/* A kernel can mount directories of the host: ERROR_UNSUPPORTED when it has what that takes neither
 * as modules nor built in. One without modules (-1), or without a list of what is built in, is
 * believed. */
bool initrd_can_share(int modules_dir, const struct limits *limits, struct error *err);
/* Appends an archive with the modules for it, to be loaded behind the others. */
bool initrd_append_sharing(int out_fd, int modules_dir, const struct limits *limits,
    const struct cancel *cancel, struct error *err);

/* Adds one line to the facts of a machine, escaped. key must be one of the above. */
void initrd_put_fact(struct text *facts, const char *key, const char *value);
