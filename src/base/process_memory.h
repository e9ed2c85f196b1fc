// Reading the memory of another process without stopping it: the only file that does.
//
// Two ways. process_vm_readv(2) needs the rights of a debugger: the same user, a dumpable process,
// and no security module or system call filter against it. Where it is refused a descriptor serves
// that the process has opened of its own memory and given away: the kernel asks at opening only.
#pragma once

#include <sys/types.h>

#include "base/backtrace.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace muster {

/// One reading. Any process; nothing here blocks, and a dead process just cannot be read.
class ProcessMemory final : public MemoryReader {
  public:
    /// `memory`: from openOwnMemory() in that process, borrowed; -1: there is none.
    ProcessMemory(pid_t pid, int memory) : pid_(pid), memory_(memory) {}

    bool read(std::uint64_t address, void* buffer, std::size_t n) noexcept override;

    /// 0, or why nothing at all could be read, as errno says it.
    [[nodiscard]] int refusal() const { return refusal_; }

  private:
    pid_t pid_;
    int memory_;
    bool byDescriptor_ = false;
    int refusal_ = 0;
};

/// /proc, to be reached after a change of root as well. Confers nothing that the holder may not do
/// anyway, but scripts in a new root must not have it.
[[nodiscard]] Result<UniqueFd> openProcessTree();

/// This process's memory, for reading, by whoever holds the descriptor. A process that changed its
/// user is dumpable for that moment. Fails where the process file system is not mounted.
[[nodiscard]] Result<UniqueFd> openOwnMemory(int processTree);

/// Whether a descriptor of unknown origin is a file of the process file system.
[[nodiscard]] bool isProcessFile(int fd);

}  // namespace muster
