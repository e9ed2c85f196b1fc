// security.exec_basedir: below which directories a main script has to be, once every symbolic link
// on the way is followed.
//
// Directories are looked up at each question: a link that a deployment turns is followed anew, and
// in a pool with a chroot the paths are those inside of it. Knows no PHP.
#pragma once

#include <climits>
#include <string>
#include <string_view>
#include <vector>

namespace muster::php {

class ExecBasedir {
  public:
    /// `configured`: absolute paths, separated by colons. Empty: everything is inside.
    explicit ExecBasedir(std::string_view configured = {});

    [[nodiscard]] bool limits() const { return !directories_.empty(); }

    enum class Place { inside, outside, nowhere };
    /// Where `path` leads; `real` is that place unless it is nowhere.
    [[nodiscard]] Place placeOf(const char* path, char (&real)[PATH_MAX]) const noexcept;

  private:
    std::vector<std::string> directories_;
};

/// True when the open file `fd` is what `path` leads to now.
[[nodiscard]] bool isFileAt(int fd, const char* path) noexcept;

}  // namespace muster::php
