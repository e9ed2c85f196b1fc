// Markdown from the rows.
#include "config/reference.h"

#include "config/directives.h"

namespace muster::config {
namespace {

std::string_view typeName(Type type) {
    switch (type) {
        case Type::text:
        case Type::optionalText:
            return "text";
        case Type::path:
            return "path";
        case Type::listen:
            return "address";
        case Type::integer:
            return "number";
        case Type::seconds:
            return "time";
        case Type::boolean:
            return "yes or no";
        case Type::logLevel:
            return "level";
        case Type::logFormat:
        case Type::facility:
        case Type::processManager:
            return "word";
        case Type::rlimitCore:
            return "number";
        case Type::list:
            return "texts";
        case Type::array:
        case Type::iniArray:
            return "texts by name";
        case Type::flagArray:
            return "yes or no by name";
    }
    return "text";
}

bool takesKey(Type type) {
    return type == Type::array || type == Type::iniArray || type == Type::flagArray;
}

std::string cell(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (c == '|') {
            result += '\\';
        }
        result += c;
    }
    return result;
}

std::string table(Scope scope) {
    std::string text =
        "| directive | type | default | expected | what it does |\n"
        "| --- | --- | --- | --- | --- |\n";
    for (const Directive& directive : directives()) {
        if (directive.scope == scope) {
            text += "| `" + std::string(directive.name) +
                    (takesKey(directive.type)       ? "[NAME]"
                     : directive.type == Type::list ? "[]"
                                                    : "");
            text += "` | " + std::string(typeName(directive.type));
            text += " | " + cell(directive.defaultText);
            text += " | " + cell(directive.expects);
            text += " | " + cell(directive.text) + " |\n";
        }
    }
    return text;
}

}  // namespace

std::string directivesReference() {
    return "# Directives\n\n"
           "This page is made from the table in `src/config/directives.cpp`; change it there and "
           "run\n`MUSTER_WRITE_REFERENCE=1 test_config "
           "--gtest_filter=Reference.*` to write it anew.\n\n"
           "A file holds one `name = value` per line, grouped by `[section]` headers; `;` starts "
           "a comment.\n`include = PATTERN` reads further files and may stand in any section.\n\n"
           "## `[global]`\n\n" +
           table(Scope::global) +
           "\n## Pools\n\n"
           "Every other section is a pool named by its header. In texts `$pool` stands for that "
           "name, and\n`${NAME}` for an environment variable (`${NAME:-fallback}` gives a text for "
           "when it is not set).\n\n" +
           table(Scope::pool);
}

}  // namespace muster::config
