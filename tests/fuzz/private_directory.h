// A directory of the fuzzer's own for the files of one input.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace muster::fuzz {

/// What an input must never reach: other files of this machine. Includes stay in the directory,
/// because a line that may be an include and holds a '/' is not tried.
inline bool staysInside(std::string_view text) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        if (line.find("include") != std::string_view::npos &&
            line.find('/') != std::string_view::npos) {
            return false;
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return true;
}

class PrivateDirectory {
  public:
    PrivateDirectory() {
        std::string pattern = std::filesystem::temp_directory_path() / "fuzz-XXXXXX";
        if (::mkdtemp(pattern.data()) == nullptr) {
            std::perror("mkdtemp");
            std::abort();
        }
        path_ = pattern;
    }
    ~PrivateDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    PrivateDirectory(const PrivateDirectory&) = delete;
    PrivateDirectory& operator=(const PrivateDirectory&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

    /// Replaces the file's content; returns its path.
    std::string write(const std::string& name, std::string_view text) const {
        const std::string file = path_ + "/" + name;
        const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0 || ::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
            std::perror(file.c_str());
            std::abort();
        }
        ::close(fd);
        return file;
    }
    void remove(const std::string& name) const { ::unlink((path_ + "/" + name).c_str()); }

  private:
    std::string path_;
};

}  // namespace muster::fuzz
