// The order of all rules, and how one reports.
#include "config/checks.h"

#include <algorithm>

#include "config/text.h"

namespace muster::config {

std::string CheckContext::found(std::string_view directive, const std::string& value) const {
    const auto origin = marks.written.find(directive);
    return quoted(value) +
           (origin == marks.written.end() ? " by default" : " at " + where(origin->second));
}

std::string CheckContext::section() const {
    return "the section at " + where(pool->origin);
}

void CheckContext::report(LogLevel level, const std::string& text,
                          const std::string& detail) const {
    reportBare(level, pool == nullptr ? text : "[pool " + verbatim(pool->name) + "] " + text,
               detail);
}

void CheckContext::reportBare(LogLevel level, const std::string& text,
                              const std::string& detail) const {
    messages.push_back({level, text, detail});
}

namespace {

void runChecks(Scope scope, CheckContext context) {
    for (const Directive& directive : directives()) {
        if (directive.scope == scope && directive.check != nullptr &&
            !context.failed(directive.name)) {
            context.name = directive.name;
            directive.check(context);
        }
    }
}

}  // namespace

void checkDraft(Draft& draft, const ReadOptions& options) {
    const auto contextOf = [&](PoolDraft& pool) {
        return CheckContext{{}, options, draft.global, &pool.settings, pool.marks, draft.messages};
    };
    CheckContext global{{}, options, draft.global, nullptr, draft.globalMarks, draft.messages};
    runChecks(Scope::global, global);
    draft.early = draft.messages.size();
    checkEventsMechanism(global);
    if (draft.pools.empty() && !draft.sectionsLost) {
        draft.messages.push_back(
            {LogLevel::error,
             "No pool defined. at least one pool section must be specified in config file",
             quoted(options.file) + " has none, expected a section such as [www]"});
    }
    for (PoolDraft& pool : draft.pools) {
        runChecks(Scope::pool, contextOf(pool));
    }
    checkAddressesDiffer(draft);
    draft.processed = !hasErrors(draft.messages);
    for (PoolDraft& pool : draft.pools) {
        CheckContext context = contextOf(pool);
        checkIdentities(context);
        checkAddressesUsable(context);
    }
}

bool hasErrors(const std::vector<Message>& messages) {
    return std::any_of(messages.begin(), messages.end(),
                       [](const Message& message) { return message.level >= LogLevel::error; });
}

}  // namespace muster::config
