// The lines of -tt (spec config §9), from the table.
#include "config/configuration.h"
#include "config/convert.h"

namespace muster::config {
namespace {

bool isShown(const Directive& directive, const std::set<std::string>& ownWritten) {
    return directive.type != Type::flagArray && directive.dump != DumpStyle::hidden &&
           (directive.dump != DumpStyle::ownDirective ||
            ownWritten.contains(std::string(directive.name)));
}

void dumpScope(std::vector<std::string>& lines, Scope scope, ConstSettingsRef settings,
               const std::set<std::string>& ownWritten) {
    for (const Directive& directive : directives()) {
        if (directive.scope != scope || !isShown(directive, ownWritten)) {
            continue;
        }
        const std::string name = "\t" + std::string(directive.name);
        if (const auto* list =
                std::get_if<std::vector<KeyValue> PoolSettings::*>(&directive.target)) {
            for (const KeyValue& entry : settings.pool->**list) {
                lines.push_back(name + "[" + entry.key + "] = " + entry.value);
            }
        } else {
            lines.push_back(name + " = " + scalarText(directive, settings));
        }
    }
    lines.emplace_back(" ");
}

}  // namespace

std::vector<std::string> dumpConfiguration(const Configuration& configuration) {
    std::vector<std::string> lines{"[global]"};
    dumpScope(lines, Scope::global, {&configuration.global, nullptr}, configuration.ownWritten);
    for (const PoolSettings& pool : configuration.pools) {
        lines.push_back("[" + pool.name + "]");
        dumpScope(lines, Scope::pool, {nullptr, &pool}, {});
    }
    return lines;
}

}  // namespace muster::config
