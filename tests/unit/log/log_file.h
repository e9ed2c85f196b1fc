// An anonymous file that tests let logs write into, and read back.
#pragma once

#include <sys/mman.h>

#include <string>
#include <vector>

#include "base/io.h"
#include "base/unique_fd.h"

namespace muster::log {

class LogFile {
  public:
    LogFile() : fd_(::memfd_create("log", MFD_CLOEXEC)) {}
    [[nodiscard]] int fd() const { return fd_.get(); }

    [[nodiscard]] std::string content() const {
        constexpr std::size_t kLimit = 256U << 20;
        return readDescriptor(fd_.get(), kLimit).value_or("unreadable");
    }
    /// Without their newlines; a last line without one counts, too.
    [[nodiscard]] std::vector<std::string> lines() const {
        std::vector<std::string> lines;
        std::string rest = content();
        while (!rest.empty()) {
            const std::size_t end = rest.find('\n');
            lines.push_back(rest.substr(0, end));
            rest.erase(0, end == std::string::npos ? end : end + 1);
        }
        return lines;
    }

  private:
    UniqueFd fd_;
};

}  // namespace muster::log
