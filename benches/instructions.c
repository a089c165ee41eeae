/* A plugin for QEMU that counts the instructions of the program under it in a file of 8 bytes, which
 * others read while the program runs: `-plugin instructions.so,out=FILE`. benches/boards.py compiles it:
 * QEMU's own counting plugin is in no package, and neither is the header that these declarations stand
 * for. They are the same in every version of that interface so far; the version is what QEMU checks. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_info;
enum registers { NO_REGISTERS };
typedef void (*block_translated)(plugin_id id, struct qemu_plugin_tb *block);
typedef void (*block_begins)(unsigned int core, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, block_translated call);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, block_begins call,
                                          enum registers used, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);

int qemu_plugin_version = PLUGIN_VERSION;

/* Of all threads of the program. */
static _Atomic uint64_t *count;

static void begins(unsigned int core, void *instructions) {
    (void)core;
    *count += (uintptr_t)instructions;
}

static void translated(plugin_id id, struct qemu_plugin_tb *block) {
    (void)id;
    void *instructions = (void *)(uintptr_t)qemu_plugin_tb_n_insns(block);
    qemu_plugin_register_vcpu_tb_exec_cb(block, begins, NO_REGISTERS, instructions);
}

int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv) {
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4) != 0) {
        fprintf(stderr, "instructions: out=FILE is missing\n");
        return 1;
    }
    int file = open(argv[0] + 4, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, sizeof *count) != 0) {
        perror(argv[0] + 4);
        return 1;
    }
    void *shared = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    count = shared;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
