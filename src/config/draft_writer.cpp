// Scopes, names and values.
#include "config/draft_writer.h"

#include <algorithm>

#include "config/convert.h"
#include "config/text.h"

namespace muster::config {
namespace {

constexpr std::string_view kPoolWord = "$pool";

std::size_t occurrences(std::string_view text, std::string_view word) {
    std::size_t count = 0;
    for (std::size_t at = text.find(word); at != std::string_view::npos;
         at = text.find(word, at + word.size())) {
        ++count;
    }
    return count;
}

std::string replaced(std::string_view text, std::string_view word, const std::string& by) {
    std::string result;
    for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word)) {
        result.append(text.substr(0, at)).append(by);
        text.remove_prefix(at + word.size());
    }
    return result.append(text);
}

}  // namespace

void DraftWriter::write(const Statement& statement, const Origin& origin) {
    switch (statement.kind) {
        case Statement::Kind::section:
            section(statement.key, origin);
            break;
        case Statement::Kind::entry:
            entry(statement, origin);
            break;
        case Statement::Kind::array:
            array(statement, origin);
            break;
    }
}

void DraftWriter::loseScope() {
    place_ = Place::lost;
}

void DraftWriter::error(const Origin& origin, const std::string& text, std::string detail) {
    report_(LogLevel::error, where(origin) + " " + text, std::move(detail));
}

/// What was meant by a line that could not be read is not reported a second time as missing.
void DraftWriter::noteFailed(std::string_view name, const Origin& origin) {
    if (place_ == Place::lost) {
        return;
    }
    for (const Directive& directive : directives()) {
        if (directive.scope == scope() && directive.name == lowered(name)) {
            marks().failed.insert(directive.name);
            marks().written[directive.name] = origin;
        }
    }
}

void DraftWriter::section(const std::string& name, const Origin& origin) {
    if (lowered(name) == "global") {
        place_ = Place::global;
        return;
    }
    place_ = Place::pool;
    const auto [known, isNew] = poolsByName_.emplace(lowered(name), draft_.pools.size());
    pool_ = known->second;
    if (isNew) {
        draft_.pools.emplace_back();
        pool().settings.name = name;
        pool().settings.origin = origin;
    }
}

void DraftWriter::entry(const Statement& statement, const Origin& origin) {
    if (place_ == Place::lost) {
        return;
    }
    const Directive* directive = findDirective(scope(), statement.key, false);
    if (directive == nullptr) {
        unknownEntry(statement.key, origin);
        return;
    }
    std::string value = statement.value.text;
    const bool isText = directive->type == Type::text || directive->type == Type::optionalText ||
                        directive->type == Type::path || directive->type == Type::listen;
    const std::string subject =
        "unable to parse value for entry '" + std::string(directive->name) + "': ";
    const std::string expected(directive->expects);
    if (isText && place_ == Place::global && value.find("$pool") != std::string::npos) {
        error(origin, subject + "Can't use '$pool' when the pool is not defined",
              "found " + quoted(value) + ", expected " + expected + " without $pool");
        noteFailed(directive->name, origin);
        return;
    }
    if (isText && place_ == Place::pool && !expandPool(value, origin)) {
        noteFailed(directive->name, origin);
        return;
    }
    const SettingsRef settings{&draft_.global, place_ == Place::pool ? &pool().settings : nullptr};
    const auto stored = storeScalar(*directive, settings, value);
    if (!stored) {
        const Rejection& why = stored.error();
        error(origin, subject + why.reason,
              "found " + quoted(value) + ", expected " +
                  (why.expected.empty() ? expected : why.expected));
        noteFailed(directive->name, origin);
        return;
    }
    if (!stored->remark.empty()) {
        report_(LogLevel::warning,
                where(origin) + " the value of '" + std::string(directive->name) + "' " +
                    stored->remark,
                "found " + quoted(value) + ", expected " + expected);
    }
    marks().written[directive->name] = origin;
}

void DraftWriter::array(const Statement& statement, const Origin& origin) {
    if (place_ == Place::lost) {
        return;
    }
    const std::string entry = verbatim(statement.key) + "[" + verbatim(statement.offset) + "]";
    const Directive* directive = findDirective(Scope::pool, statement.key, true);
    const bool isList = directive != nullptr && directive->type == Type::list;
    if (isList && !listEntryIsSound(statement, origin)) {
        return;
    }
    if (!isList && statement.offset.empty()) {
        error(origin, "You must provide a key for field '" + verbatim(statement.key) + "'",
              "found an empty one, expected " + shown(statement.key) + "[NAME] = value");
        return;
    }
    if (place_ == Place::global) {
        error(origin, "Array are not allowed in the global section",
              "found " + quoted(entry) + ", expected it in a pool's section such as [www]");
        return;
    }
    if (directive == nullptr) {
        unknownArray(statement.key, origin);
        return;
    }
    if (directive->type == Type::array && statement.value.text.empty()) {
        error(
            origin, "empty value",
            "found " + quoted(entry) + " without one, expected " + std::string(directive->expects));
        return;
    }
    auto value = arrayValue(*directive, statement.value.text);
    if (!value) {
        error(origin, "error while parsing '" + entry + "' : " + value.error().reason,
              "found " + quoted(statement.value.text) + ", expected " +
                  std::string(directive->expects));
        return;
    }
    if (!expandPool(*value, origin)) {
        return;
    }
    const auto list = std::get<std::vector<KeyValue> PoolSettings::*>(directive->target);
    (pool().settings.*list).push_back({statement.offset, std::move(*value)});
    marks().written[directive->name] = origin;
}

bool DraftWriter::expandPool(std::string& value, const Origin& origin) {
    const std::string& name = pool().settings.name;
    const std::size_t count = occurrences(value, kPoolWord);
    if (count == 0) {
        return true;
    }
    if (!name.empty() && count > draft_.expansionLeft / name.size()) {
        error(origin, "values are too large with the pool's name in place of $pool",
              "more than " + std::to_string(kMostExpanded) + " bytes in all");
        return false;
    }
    draft_.expansionLeft -= count * name.size();
    value = replaced(value, kPoolWord, name);
    return true;
}

/// Both errors may be reported for one line (spec config §3.5).
bool DraftWriter::listEntryIsSound(const Statement& statement, const Origin& origin) {
    const std::string field = quoted(statement.key);
    const bool keyed = !statement.offset.empty();
    if (keyed) {
        error(origin, "Keys provided to field " + field + " are ignored",
              "found " + quoted(statement.offset) + ", expected " + shown(statement.key) +
                  "[] = /path");
    }
    const bool isPath = statement.value.text.starts_with('/');
    if (!isPath) {
        error(origin, "Values provided to field " + field + " must begin with '/'",
              "found " + quoted(statement.value.text) + ", expected a path such as /ping");
    }
    return !keyed && isPath;
}

std::string DraftWriter::hint(const std::string& name) {
    const Scope other = place_ == Place::global ? Scope::pool : Scope::global;
    if (findDirective(other, name, false) != nullptr) {
        return other == Scope::pool ? "it belongs to a pool's section, such as [www]"
                                    : "it belongs to the [global] section";
    }
    const auto meant = suggestDirective(name);
    if (!meant) {
        return "expected the name of a directive";
    }
    std::string text = "did you mean '" + std::string(*meant) + "'?";
    const bool here = *meant == kInclude || findDirective(scope(), *meant, false) != nullptr ||
                      findDirective(scope(), *meant, true) != nullptr;
    if (!here) {
        text += other == Scope::pool ? " It belongs to a pool's section, such as [www]"
                                     : " It belongs to the [global] section";
    }
    return text;
}

void DraftWriter::unknownEntry(const std::string& name, const Origin& origin) {
    const std::string text = "unknown entry '" + verbatim(name) + "'";
    if (const Directive* array = findDirective(Scope::pool, name, true)) {
        error(origin, text,
              "expected " +
                  (array->type == Type::list ? std::string(array->expects)
                                             : "a key: " + shown(name) + "[NAME] = value") +
                  (place_ == Place::global ? ", in a pool's section" : ""));
        return;
    }
    error(origin, text, hint(name));
    if (const auto meant = suggestDirective(name)) {
        noteFailed(*meant, origin);
    }
}

void DraftWriter::unknownArray(const std::string& name, const Origin& origin) {
    const std::string text = "unknown directive '" + verbatim(name) + "'";
    if (findDirective(Scope::pool, name, false) != nullptr) {
        error(origin, text, "expected no key: " + shown(name) + " = value");
        noteFailed(name, origin);
        return;
    }
    error(origin, text, hint(name));
}

}  // namespace muster::config
