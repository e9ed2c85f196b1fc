// Markdown and roff from the rows.
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
        case Type::bytes:
            return "size";
        case Type::boolean:
            return "yes or no";
        case Type::logLevel:
            return "level";
        case Type::logFormat:
        case Type::stopManner:
        case Type::facility:
        case Type::processManager:
        case Type::managerLife:
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

/// The name as it is written in a file.
std::string writtenName(const Directive& directive) {
    const bool isList = directive.type == Type::list;
    return std::string(directive.name) + (takesKey(directive.type) ? "[NAME]" : isList ? "[]" : "");
}

std::string table(Scope scope) {
    std::string text =
        "| directive | type | default | expected | what it does |\n"
        "| --- | --- | --- | --- | --- |\n";
    for (const Directive& directive : directives()) {
        if (directive.scope == scope) {
            text += "| `" + writtenName(directive);
            text += "` | " + std::string(typeName(directive.type));
            text += " | " + cell(directive.defaultText);
            text += " | " + cell(directive.expects);
            text += " | " + cell(directive.text) + " |\n";
        }
    }
    return text;
}

/// Text that roff prints as it is.
std::string plain(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (c == '-') {
            result += "\\-";
        } else if (c == '\\') {
            result += "\\e";
        } else {
            result += c;
        }
    }
    return result;
}

std::string entries(Scope scope) {
    std::string text;
    for (const Directive& directive : directives()) {
        if (directive.scope == scope) {
            // "\&" keeps a text that begins with a dot or a quote from being a macro.
            text += ".TP\n.B " + plain(writtenName(directive)) + "\n";
            text += "\\&" + plain(directive.text) + "\n.br\n";
            text += "\\&Expected: " + plain(directive.expects) +
                    ". Default: " + plain(directive.defaultText) + ".\n";
        }
    }
    return text;
}

constexpr std::string_view kManualHead =
    R"(.\" Made from the table in src/config/directives.cpp; change it there and run
.\" MUSTER_WRITE_REFERENCE=1 test_config --gtest_filter=Reference.* to write it anew.
.TH MUSTER.CONF 5 "" "muster" "muster"
.SH NAME
muster.conf \- configuration of the FastCGI process manager muster
.SH DESCRIPTION
.BR muster (8)
reads the configuration files of php\-fpm.
A file holds one
.I name
=
.I value
per line, grouped by
.RI [ section ]
headers; a semicolon starts a comment.
.B [global]
holds what concerns all of muster; every other section is a pool named by its header.
.PP
.B include
=
.I PATTERN
reads further files in the order of their names and may stand in any section.
.PP
A value may stand in double or single quotes and must when it holds one of
.BR "= ; & | ^ ~ ( ) !" .
Yes, on, true and 1 mean yes; no, off, false, none and 0 mean no.
A time is a whole number with an optional unit s, m, h or d.
In the texts of a pool
.B $pool
stands for its name.
.BI ${ NAME }
stands for a value of php.ini or
.BR \-d ,
or else for an environment variable;
.BI ${ NAME :\- TEXT }
gives a text for when there is neither.
.PP
.B muster \-t
checks the files and names everything that is wrong, with file and line;
.B muster \-tt
also prints every setting in force.
)";

constexpr std::string_view kManualTail =
    R"(.SH FILES
.TP
.I /etc/muster/muster.conf
The file that is read without
.BR \-y .
.TP
.I /etc/muster/pool.d/*.conf
Pools, included from there.
.SH SEE ALSO
.BR muster (8)
)";

}  // namespace

std::string manualPage() {
    return std::string(kManualHead) + ".SH GLOBAL DIRECTIVES\n" + entries(Scope::global) +
           ".SH POOL DIRECTIVES\n" + entries(Scope::pool) + std::string(kManualTail);
}

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
           "name, and\n`${NAME}` for a value of php.ini or `-d`, or else an environment variable "
           "(`${NAME:-fallback}` gives a text for when\nthere is neither).\n\n" +
           table(Scope::pool);
}

}  // namespace muster::config
