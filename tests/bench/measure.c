/*
 * measure N COMMAND... -- COMMAND... -- ...
 *
 * Runs each command N times, one after the other in turn so that noise hits all alike, with output
 * to /dev/null and errors to the file $MEASURE_STDERR.  Prints one line a run: the command's number
 * from 1, wall microseconds, CPU microseconds (user and system) and the largest resident size in
 * KiB.  Ends with 1 when a command fails.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_COMMANDS 16

extern char **environ;

static double seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double micros(struct timeval t)
{
    return (double)t.tv_sec * 1e6 + (double)t.tv_usec;
}

/* Runs argv once and prints its line.  False: it did not start or it failed. */
static int run_once(int number, char **argv, posix_spawn_file_actions_t *actions)
{
    struct rusage used;
    double begin = seconds_now();
    int error, status;
    pid_t pid;

    error = posix_spawnp(&pid, argv[0], actions, NULL, argv, environ);
    if (error) {
        fprintf(stderr, "measure: %s: %s\n", argv[0], strerror(error));
        return 0;
    }
    if (wait4(pid, &status, 0, &used) != pid) {
        perror("measure: wait4");
        return 0;
    }
    printf("%d %.0f %.0f %ld\n", number, (seconds_now() - begin) * 1e6,
           micros(used.ru_utime) + micros(used.ru_stime), used.ru_maxrss);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "measure: %s: wait status %d\n", argv[0], status);
        return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    char **commands[MAX_COMMANDS];
    posix_spawn_file_actions_t actions;
    const char *errors = getenv("MEASURE_STDERR");
    int count = 0, runs = argc > 2 ? atoi(argv[1]) : 0;

    if (runs < 1) {
        fputs("usage: measure N COMMAND... [-- COMMAND...]...\n", stderr);
        return 64;
    }
    commands[count++] = argv + 2;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0 && i + 1 < argc && count < MAX_COMMANDS) {
            argv[i] = NULL;
            commands[count++] = argv + i + 1;
        }
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors ? errors : "/dev/null",
                                     O_WRONLY | O_CREAT | O_TRUNC, 0644);
    for (int run = 0; run < runs; run++) {
        for (int i = 0; i < count; i++) {
            if (!run_once(i + 1, commands[i], &actions))
                return 1;
            fflush(stdout);
        }
    }
    return 0;
}
