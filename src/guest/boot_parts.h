/* SPDX-License-Identifier: MIT */
#pragma once

/* The steps of /init, in the order boot.c takes them. Those that must not fail end in die(); the
 * others say what went wrong and go on. Each may add facts for the agent. PID 1 only. */

struct facts;

/* modules.c: loads what /modules/order and, where there is one, /modules/more name. */
void modules_load(struct facts *facts);
/* What the boot does not wait for, in a process of its own. */
void modules_load_late(void);

/* disks.c: the device node of a disk, waiting for it to appear. wanted is a serial number, else a name
 * in the fact "disks", else an ext4 label; "/dev/..." is taken as it is. Caller frees. */
char *disk_find(const struct facts *facts, const char *wanted);

/* root.c: mounts the root at ROOT_DIR, as overlay or copy. Returns a descriptor on the file system
 * that takes the writes, close-on-exec. */
#define ROOT_DIR "/newroot"
int root_mount(const struct facts *facts);
/* The machine's work disk at /root of the root at ROOT_DIR, where the facts name one. */
void root_mount_work(const struct facts *facts);
/* Away again at the end of a machine whose PID 1 is ours, so that it needs no recovery. */
void root_leave_work(const struct facts *facts);
/* Makes it / and mounts what every image finds there: /dev /dev/pts /proc /sys /run. Frees the
 * initrd. */
void root_enter(void);

/* volumes.c: further disks and directories of the host at their places, once the root is entered; and
 * away again, at the end of a machine whose PID 1 is ours. */
void volumes_set(const struct facts *facts);
void volumes_leave(const struct facts *facts);

/* identity.c: clock, host name, /etc/hostname, /etc/hosts, /etc/resolv.conf. */
void identity_set(const struct facts *facts);

/* grow.c: makes the ext4 file system of a disk that is mounted at path as large as the disk; says
 * so when it cannot. */
void grow_disk(const char *disk, const char *path);

/* keys.c: the public keys of this start in root's authorized_keys, those of the start before out of
 * it; what else is there stays. keys_set_in is for tests. */
void keys_set(const struct facts *facts);
void keys_set_in(const char *home, const struct facts *facts);

/* network.c: loopback, and the network card with its fixed address. True when that one is up. */
_Bool network_set(struct facts *facts);
/* Of the Ethernet interfaces in the directory the first by name, those with hardware before those
 * without. Caller frees; NULL: there is none. */
char *network_find_card(const char *dir);

/* mounts.c: a directory, made when it is missing, and what goes there; both say what failed. */
void mount_make_dir(const char *path, unsigned mode);
/* Unmounted, or read-only where something still holds it. */
void mount_leave(const char *path);
_Bool mount_try(const char *type, const char *path, unsigned long flags, const char *options);
