// libacl behind an owner.
#include "base/socket_acl.h"

#include <acl/libacl.h>
#include <sys/acl.h>
#include <sys/stat.h>

namespace muster {
namespace {

/// Owns the list; libacl may move it while entries are added.
class AccessList {
  public:
    explicit AccessList(acl_t list) : list_(list) {}
    AccessList(const AccessList&) = delete;
    AccessList& operator=(const AccessList&) = delete;
    ~AccessList() {
        if (list_ != nullptr) {
            ::acl_free(list_);
        }
    }
    [[nodiscard]] explicit operator bool() const { return list_ != nullptr; }
    [[nodiscard]] acl_t get() const { return list_; }

    /// Read and write for one user or group; false with errno set.
    [[nodiscard]] bool add(acl_tag_t tag, id_t id) {
        remove(tag, id);
        acl_entry_t entry = nullptr;
        acl_permset_t permissions = nullptr;
        return ::acl_create_entry(&list_, &entry) == 0 && ::acl_set_tag_type(entry, tag) == 0 &&
               ::acl_set_qualifier(entry, &id) == 0 &&
               ::acl_get_permset(entry, &permissions) == 0 && ::acl_clear_perms(permissions) == 0 &&
               ::acl_add_perm(permissions, ACL_READ) == 0 &&
               ::acl_add_perm(permissions, ACL_WRITE) == 0 &&
               ::acl_set_permset(entry, permissions) == 0;
    }
    [[nodiscard]] bool complete() {
        return ::acl_calc_mask(&list_) == 0 && ::acl_valid(list_) == 0;
    }

  private:
    /// A directory's default ACL may have brought an entry, and two for one name are not valid.
    void remove(acl_tag_t tag, id_t id) {
        acl_entry_t entry = nullptr;
        for (int which = ACL_FIRST_ENTRY; ::acl_get_entry(list_, which, &entry) == 1;
             which = ACL_NEXT_ENTRY) {
            acl_tag_t found = ACL_UNDEFINED_TAG;
            if (::acl_get_tag_type(entry, &found) != 0 || found != tag) {
                continue;
            }
            void* qualifier = ::acl_get_qualifier(entry);
            const bool same = qualifier != nullptr && *static_cast<id_t*>(qualifier) == id;
            ::acl_free(qualifier);
            if (same) {
                ::acl_delete_entry(list_, entry);
                return;
            }
        }
    }

    acl_t list_;
};

Result<void> addEntries(AccessList& list, const std::string& path, const std::string& shown,
                        const std::vector<uid_t>& users, const std::vector<gid_t>& groups) {
    bool added = true;
    for (const uid_t user : users) {
        added = added && list.add(ACL_USER, user);
    }
    for (const gid_t group : groups) {
        added = added && list.add(ACL_GROUP, group);
    }
    if (!added) {
        return errnoError("failed to add entry to the ACL of the socket '" + shown + "'");
    }
    const bool plain = users.empty() && groups.empty();
    if ((!plain && !list.complete()) ||
        ::acl_set_file(path.c_str(), ACL_TYPE_ACCESS, list.get()) < 0) {
        return errnoError("failed to write the ACL of the socket '" + shown + "'");
    }
    return {};
}

}  // namespace

Result<void> addToSocketAcl(const std::string& path, const std::string& shown,
                            const std::vector<uid_t>& users, const std::vector<gid_t>& groups) {
    AccessList list(::acl_get_file(path.c_str(), ACL_TYPE_ACCESS));
    if (!list) {
        return errnoError("failed to read the ACL of the socket '" + shown + "'");
    }
    return addEntries(list, path, shown, users, groups);
}

Result<void> replaceSocketAcl(const std::string& path, const std::string& shown, mode_t mode,
                              const std::vector<uid_t>& users, const std::vector<gid_t>& groups) {
    const bool plain = users.empty() && groups.empty();
    if (plain && ::acl_extended_file(path.c_str()) <= 0) {
        return ::chmod(path.c_str(), mode) < 0
                   ? errnoError("failed to chmod() the socket '" + shown + "'")
                   : Result<void>();
    }
    AccessList list(::acl_from_mode(mode));
    if (!list) {
        return errnoError("failed to make an ACL for the socket '" + shown + "'");
    }
    return addEntries(list, path, shown, users, groups);
}

}  // namespace muster
