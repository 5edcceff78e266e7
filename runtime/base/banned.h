/*
 * Functions of libc that this project never calls, because a safer one exists.  Included last by
 * every C file; tests/check/layers.lua checks that.
 */
#pragma once

#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#undef gets
#undef strtok
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok
#pragma GCC poison gmtime localtime ctime asctime mktemp tmpnam system popen
