// Follows paths to their places and compares these.
#include "runtime/php/exec_basedir.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace muster::php {

ExecBasedir::ExecBasedir(std::string_view configured) {
    for (std::size_t start = 0; start < configured.size();) {
        const std::size_t end = std::min(configured.find(':', start), configured.size());
        if (end > start) {
            directories_.emplace_back(configured.substr(start, end - start));
        }
        start = end + 1;
    }
}

ExecBasedir::Place ExecBasedir::placeOf(const char* path, char (&real)[PATH_MAX]) const noexcept {
    if (::realpath(path, real) == nullptr) {
        return Place::nowhere;
    }
    for (const std::string& directory : directories_) {
        char base[PATH_MAX];
        if (::realpath(directory.c_str(), base) == nullptr) {
            continue;
        }
        const std::size_t length = std::strcmp(base, "/") == 0 ? 0 : std::strlen(base);
        if (std::strncmp(real, base, length) == 0 && real[length] == '/') {
            return Place::inside;
        }
    }
    return Place::outside;
}

bool isFileAt(int fd, const char* path) noexcept {
    struct stat opened {};
    struct stat there {};
    return ::fstat(fd, &opened) == 0 && ::stat(path, &there) == 0 &&
           opened.st_dev == there.st_dev && opened.st_ino == there.st_ino;
}

}  // namespace muster::php
