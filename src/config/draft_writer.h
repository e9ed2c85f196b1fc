// Writes statements into a draft: which scope is current, which names are known, what they are
// told.
//
// One writer lives through all files, as the scope does (spec config §6.5). Pure: no files.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>

#include "config/draft.h"
#include "config/statement.h"

namespace muster::config {

class DraftWriter {
  public:
    using Report = std::function<void(LogLevel level, std::string text, std::string detail)>;

    DraftWriter(Draft& draft, Report report) : draft_(draft), report_(std::move(report)) {}

    /// Anything but an `include`.
    void write(const Statement& statement, const Origin& origin);
    /// A section header could not be read: what follows belongs to a scope nobody knows, and is
    /// read for its grammar only.
    void loseScope();
    /// What was meant by a line that could not be read is not reported a second time as missing.
    void noteFailed(std::string_view name, const Origin& origin);

  private:
    enum class Place { global, pool, lost };

    void section(const std::string& name, const Origin& origin);
    void entry(const Statement& statement, const Origin& origin);
    void array(const Statement& statement, const Origin& origin);
    bool expandPool(std::string& value, const Origin& origin);
    bool listEntryIsSound(const Statement& statement, const Origin& origin);
    void unknownEntry(const std::string& name, const Origin& origin);
    void unknownArray(const std::string& name, const Origin& origin);
    std::string hint(const std::string& name);
    void error(const Origin& origin, const std::string& text, std::string detail);

    [[nodiscard]] Scope scope() const {
        return place_ == Place::global ? Scope::global : Scope::pool;
    }
    PoolDraft& pool() { return draft_.pools[pool_]; }
    Marks& marks() { return place_ == Place::global ? draft_.globalMarks : pool().marks; }

    Draft& draft_;
    Report report_;
    Place place_ = Place::global;
    std::size_t pool_ = 0;  // when place_ is pool
    std::unordered_map<std::string, std::size_t> poolsByName_;
};

}  // namespace muster::config
