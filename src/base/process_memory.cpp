// process_vm_readv and /proc/self/mem.
#include "base/process_memory.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <limits>

namespace muster {
namespace {

/// The kernel, not the address, is against it.
bool isRefusal(int error) {
    return error == EPERM || error == EACCES || error == ENOSYS || error == ESRCH;
}

}  // namespace

bool ProcessMemory::read(std::uint64_t address, void* buffer, std::size_t n) noexcept {
    if (refusal_ != 0) {
        return false;
    }
    if (!byDescriptor_) {
        iovec here{buffer, n};
        // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of another process
        iovec there{reinterpret_cast<void*>(address), n};
        const ssize_t got = ::process_vm_readv(pid_, &here, 1, &there, 1, 0);
        if (got >= 0 || !isRefusal(errno)) {
            return got == static_cast<ssize_t>(n);
        }
        if (memory_ < 0) {
            refusal_ = errno;
            return false;
        }
        byDescriptor_ = true;
    }
    if (address > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) {
        return false;
    }
    return ::pread(memory_, buffer, n, static_cast<off_t>(address)) == static_cast<ssize_t>(n);
}

Result<UniqueFd> openProcessTree() {
    UniqueFd tree(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!tree) {
        return errnoError("open(/proc)");
    }
    return tree;
}

Result<UniqueFd> openOwnMemory(int processTree) {
    const auto open = [processTree] {
        return UniqueFd(::openat(processTree, "self/mem", O_RDONLY | O_CLOEXEC));
    };
    if (::prctl(PR_GET_DUMPABLE) == 1) {
        UniqueFd memory = open();
        return memory ? Result<UniqueFd>(std::move(memory)) : errnoError("open(/proc/self/mem)");
    }
    // The file belongs to root while a process is not dumpable.
    if (::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0) {
        return errnoError("failed to prctl(PR_SET_DUMPABLE)");
    }
    UniqueFd memory = open();
    const auto failure = errnoError("open(/proc/self/mem)");
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    return memory ? Result<UniqueFd>(std::move(memory)) : Result<UniqueFd>(failure);
}

bool isProcessFile(int fd) {
    struct statfs of {};
    return ::fstatfs(fd, &of) == 0 && of.f_type == PROC_SUPER_MAGIC;
}

}  // namespace muster
