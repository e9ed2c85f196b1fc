// Looks for ini files exactly where the engine will, before it does.
#include "base/ini_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "base/unique_fd.h"

namespace muster {

namespace {

using std::string_view;

constexpr const char* kIniDirectory = "/etc/php/" MUSTER_PHP_VERSION "/fpm";
constexpr const char* kScanDirectory = "/etc/php/" MUSTER_PHP_VERSION "/fpm/conf.d";
constexpr std::array kIniNames = {"/php-fpm-fcgi.ini", "/php.ini"};  // the SAPI's own name first

template <typename F>
void forEachPart(string_view list, F&& f) {
    while (true) {
        const std::size_t colon = list.find(':');
        f(list.substr(0, colon));
        if (colon == string_view::npos) {
            return;
        }
        list.remove_prefix(colon + 1);
    }
}

bool isDirectory(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

/// A file that does not exist is fine; one that does must open.
Result<void> mustOpenIfThere(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd && errno != ENOENT && errno != ENOTDIR) {
        return errnoError("reading the ini file " + path);
    }
    return {};
}

bool isRegularFile(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

bool isIniName(string_view name) {
    return name.size() > 4 && name.ends_with(".ini");
}

/// php.ini, or the file named after the SAPI, in one directory.
Result<void> checkIniIn(const std::string& directory) {
    for (const char* name : kIniNames) {
        if (auto ok = mustOpenIfThere(directory + name); !ok) {
            return ok;
        }
    }
    return {};
}

Result<void> checkScanned(const std::string& directory) {
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(directory.c_str()), ::closedir);
    if (entries == nullptr) {
        if (errno == ENOENT) {
            return {};
        }
        return errnoError("reading the directory of ini files " + directory);
    }
    while (const dirent* entry = ::readdir(entries.get())) {
        if (isIniName(entry->d_name)) {
            if (auto ok = mustOpenIfThere(directory + "/" + entry->d_name); !ok) {
                return ok;
            }
        }
    }
    return {};
}

std::string defaultPath() {
    const char* rc = std::getenv("PHPRC");
    if (rc == nullptr || *rc == '\0') {
        return kIniDirectory;
    }
    return isDirectory(rc) ? std::string(rc) + ":" + kIniDirectory : rc;
}

std::string scanDirectories() {
    const char* given = std::getenv("PHP_INI_SCAN_DIR");
    if (given == nullptr) {
        return kScanDirectory;
    }
    if (*given == '\0') {
        return {};
    }
    // An empty part stands for the built-in directory, and the library's is another SAPI's.
    std::string list;
    forEachPart(given, [&list](string_view part) {
        list.append(list.empty() ? "" : ":").append(part.empty() ? kScanDirectory : part);
    });
    return list;
}

/// The php.ini the engine takes: each name is looked for in every directory before the next name.
std::string findMainFile(const std::string& path) {
    if (isRegularFile(path)) {
        return path;
    }
    for (const char* name : kIniNames) {
        std::string found;
        forEachPart(path, [&](string_view part) {
            const std::string file = std::string(part) + name;
            if (found.empty() && !part.empty() && isRegularFile(file)) {
                found = file;
            }
        });
        if (!found.empty()) {
            return found;
        }
    }
    return {};
}

std::vector<std::string> scannedFiles(const std::string& directory) {
    std::vector<std::string> files;
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(directory.c_str()), ::closedir);
    if (entries == nullptr) {
        return files;
    }
    while (const dirent* entry = ::readdir(entries.get())) {
        const std::string file = directory + "/" + entry->d_name;
        if (isIniName(entry->d_name) && isRegularFile(file)) {
            files.push_back(file);
        }
    }
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace

const std::string& iniDirectory() {
    static const std::string directory = kIniDirectory;
    return directory;
}

IniFiles locateIniFiles(const std::string& iniPath, bool ignoreIni) {
    IniFiles files;
    files.path = iniPath;
    if (!ignoreIni) {
        if (iniPath.empty()) {
            files.path = defaultPath();
        }
        files.scanDirectory = scanDirectories();
    }
    return files;
}

Result<void> checkReadable(const IniFiles& files) {
    Result<void> result;
    const auto check = [&result](string_view part, Result<void> (*one)(const std::string&)) {
        if (result && !part.empty()) {
            result = one(std::string(part));
        }
    };
    if (!files.path.empty() && !isDirectory(files.path)) {
        check(files.path, mustOpenIfThere);
    }
    forEachPart(files.path, [&](string_view part) { check(part, checkIniIn); });
    forEachPart(files.scanDirectory, [&](string_view part) { check(part, checkScanned); });
    return result;
}

std::vector<std::string> listIniFiles(const IniFiles& files) {
    std::vector<std::string> list;
    if (std::string main = findMainFile(files.path); !main.empty()) {
        list.push_back(std::move(main));
    }
    forEachPart(files.scanDirectory, [&list](string_view part) {
        if (!part.empty()) {
            const std::vector<std::string> scanned = scannedFiles(std::string(part));
            list.insert(list.end(), scanned.begin(), scanned.end());
        }
    });
    return list;
}

}  // namespace muster
