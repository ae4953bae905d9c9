/* SPDX-License-Identifier: MIT */
#include "guest/boot_parts.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/facts.h"
#include "guest/guest.h"

/* The addresses of QEMU's user networking. */
#define DEFAULT_ADDRESS "10.0.2.15/24"
#define DEFAULT_GATEWAY "10.0.2.2"

static struct ifreq request_for(const char *device)
{
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
    return request;
}

static void put_address(struct sockaddr *to, struct in_addr address)
{
    struct sockaddr_in inet = {.sin_family = AF_INET, .sin_addr = address};
    memcpy(to, &inet, sizeof inet);
}

static bool set_up(int fd, const char *device)
{
    struct ifreq request = request_for(device);
    if (ioctl(fd, SIOCGIFFLAGS, &request) != 0) {
        return false;
    }
    request.ifr_flags |= IFF_UP | IFF_RUNNING;
    return ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

static bool is_ethernet(const char *dir, const char *name)
{
    char *path = format_text("%s/%s/type", dir, name);
    char *type = read_file(path, 16, NULL);
    bool is_it = type != NULL && strcmp(trim(type), "1") == 0;
    free(type);
    free(path);
    return is_it;
}

/* Kernels with dummy, bonding and the like built in begin with interfaces of these. */
static bool has_hardware(const char *dir, const char *name)
{
    char *path = format_text("%s/%s/device", dir, name);
    bool is_there = access(path, F_OK) == 0;
    free(path);
    return is_there;
}

char *network_find_card(const char *dir)
{
    DIR *entries = opendir(dir);
    char *found = NULL;
    bool is_real = false;
    if (entries == NULL) {
        return NULL;
    }
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        const char *name = entry->d_name;
        if (name[0] == '.' || !is_ethernet(dir, name)) {
            continue;
        }
        bool is_card = has_hardware(dir, name);
        bool is_better = found == NULL || (is_card && !is_real) ||
                         (is_card == is_real && strcmp(name, found) < 0);
        if (is_better) {
            free(found);
            found = copy_text(name);
            is_real = is_card;
        }
    }
    closedir(entries);
    return found;
}

static bool parse_address(const char *text, struct in_addr *address, struct in_addr *mask)
{
    char *copy = copy_text(text);
    char *slash = strchr(copy, '/');
    uint64_t bits = 32;
    bool is_good = true;
    if (slash != NULL) {
        *slash = '\0';
        is_good = parse_number(slash + 1, 32, &bits);
    }
    is_good = is_good && inet_pton(AF_INET, copy, address) == 1;
    mask->s_addr = bits == 0 ? 0 : htonl((uint32_t)(0xffffffffull << (32 - bits)));
    free(copy);
    return is_good;
}

static bool set_address(int fd, const char *device, struct in_addr address, struct in_addr mask)
{
    struct ifreq request = request_for(device);
    put_address(&request.ifr_addr, address);
    if (ioctl(fd, SIOCSIFADDR, &request) != 0) {
        return false;
    }
    put_address(&request.ifr_netmask, mask);
    return ioctl(fd, SIOCSIFNETMASK, &request) == 0 && set_up(fd, device);
}

static bool set_gateway(int fd, const char *text)
{
    struct in_addr any = {0}, gateway;
    if (inet_pton(AF_INET, text, &gateway) != 1) {
        errno = EINVAL;
        return false;
    }
    struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
    put_address(&route.rt_dst, any);
    put_address(&route.rt_genmask, any);
    put_address(&route.rt_gateway, gateway);
    return ioctl(fd, SIOCADDRT, &route) == 0 || errno == EEXIST;
}

static bool set_ethernet(int fd, struct facts *facts)
{
    const char *text = facts_get(facts, "address", DEFAULT_ADDRESS);
    const char *gateway = facts_get(facts, "gateway", DEFAULT_GATEWAY);
    struct in_addr address, mask;
    bool is_up = false;
    char *device = strcmp(text, "none") == 0 ? NULL : network_find_card("/sys/class/net");
    if (device == NULL) {
        return false;
    }
    if (!parse_address(text, &address, &mask)) {
        say("address=%s is no IPv4 address with prefix length", text);
    } else if (!set_address(fd, device, address, mask)) {
        say("cannot give %s the address %s: %m", device, text);
    } else {
        if (*gateway != '\0' && !set_gateway(fd, gateway)) {
            say("cannot make %s the gateway: %m", gateway);
        }
        char *network = format_text("%s %s", device, text);
        facts_tell(facts, "network", network);
        free(network);
        is_up = true;
    }
    free(device);
    return is_up;
}

bool network_set(struct facts *facts)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false; /* a kernel without networking */
    }
    set_up(fd, "lo");
    bool is_up = set_ethernet(fd, facts);
    close(fd);
    return is_up;
}
