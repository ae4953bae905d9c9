/* SPDX-License-Identifier: MIT */
/* Linked with every object of a layer and of those below it, and with the libraries that these are
 * allowed: a call to a sibling or upwards, or curses below the front ends, is a link error. That
 * it runs says no more than that it could be linked. */
int main(void)
{
    return 0;
}
