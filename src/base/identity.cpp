// passwd and group look-ups, and giving up root.
#include "base/identity.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <charconv>
#include <vector>

#include "base/root_directory.h"

namespace muster {
namespace {

template <typename Lookup>
std::optional<UserEntry> readUser(Lookup lookup) {
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer(16384);
    while (lookup(&entry, buffer.data(), buffer.size(), &found) == ERANGE) {
        buffer.resize(buffer.size() * 2);
    }
    if (found == nullptr) {
        return std::nullopt;
    }
    return UserEntry{found->pw_uid, found->pw_gid, found->pw_name, found->pw_dir};
}

}  // namespace

std::optional<UserEntry> findUser(const std::string& name) {
    return readUser([&](passwd* entry, char* buffer, std::size_t size, passwd** found) {
        return ::getpwnam_r(name.c_str(), entry, buffer, size, found);
    });
}

std::optional<UserEntry> findUser(uid_t uid) {
    return readUser([&](passwd* entry, char* buffer, std::size_t size, passwd** found) {
        return ::getpwuid_r(uid, entry, buffer, size, found);
    });
}

std::optional<gid_t> findGroup(const std::string& name) {
    group entry{};
    group* found = nullptr;
    std::vector<char> buffer(16384);
    while (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == ERANGE) {
        buffer.resize(buffer.size() * 2);
    }
    if (found == nullptr) {
        return std::nullopt;
    }
    return found->gr_gid;
}

bool isNumericId(const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

std::optional<uid_t> findUserId(const std::string& nameOrNumber) {
    if (!isNumericId(nameOrNumber)) {
        const auto user = findUser(nameOrNumber);
        return user ? std::optional(user->uid) : std::nullopt;
    }
    uid_t uid = 0;
    const char* end = nameOrNumber.data() + nameOrNumber.size();
    // The largest number is the kernel's word for nobody at all.
    return std::from_chars(nameOrNumber.data(), end, uid).ec == std::errc{} && uid != uid_t(-1)
               ? std::optional(uid)
               : std::nullopt;
}

Result<void> dropPrivileges(const Identity& identity, RootChange rootChange) {
    if (identity.gid != 0) {
        if (::setgid(identity.gid) < 0) {
            return errnoError("failed to setgid(" + std::to_string(identity.gid) + ")");
        }
    }
    if (identity.uid != 0) {
        if (::initgroups(identity.groupsOf.c_str(), identity.gid) < 0) {
            return errnoError("failed to initgroups(" + identity.groupsOf + ", " +
                              std::to_string(identity.gid) + ")");
        }
        const bool keeps = rootChange == RootChange::later;
        if (auto kept = keeps ? keepPermitted(true) : Result<void>{}; !kept) {
            return kept;
        }
        if (::setuid(identity.uid) < 0) {
            return errnoError("failed to setuid(" + std::to_string(identity.uid) + ")");
        }
        if (keeps) {
            if (auto reduced = reduceToChroot(); !reduced) {
                return reduced;
            }
            if (auto ended = keepPermitted(false); !ended) {
                return ended;
            }
        }
        if (::setuid(0) == 0) {
            return plainError("privileges could be regained after setuid(" +
                              std::to_string(identity.uid) + ")");
        }
    }
    return {};
}

}  // namespace muster
