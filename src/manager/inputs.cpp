// ManagerInputs as CBOR and back.
#include "manager/inputs.h"

#include <nlohmann/json.hpp>

#include "config/configuration.h"
#include "manager/cbor_text.h"

namespace muster::manager {

using nlohmann::json;

std::string managerTitle(const ManagerInputs& inputs) {
    return inputs.titlePrefix + "manager process (" + inputs.pool.name + ")";
}

std::string encodeInputs(const ManagerInputs& inputs) {
    json definitions = json::array();
    for (const auto& [name, value] : inputs.iniDefinitions) {
        definitions.push_back(json::array({bytesOf(name), bytesOf(value)}));
    }
    const json document = {
        {"pool", bytesOf(config::encodePool(inputs.pool))},
        {"dropPrivileges", inputs.dropPrivileges},
        {"uid", inputs.identity.uid},
        {"gid", inputs.identity.gid},
        {"groupsOf", bytesOf(inputs.identity.groupsOf)},
        {"userName", bytesOf(inputs.identity.userName)},
        {"home", bytesOf(inputs.identity.home)},
        {"allowedUsers", inputs.allowedUsers ? json(*inputs.allowedUsers) : json()},
        {"titlePrefix", bytesOf(inputs.titlePrefix)},
        {"programName", bytesOf(inputs.programName)},
        {"iniPath", bytesOf(inputs.iniPath)},
        {"ignoreIni", inputs.ignoreIni},
        {"iniDefinitions", definitions},
        {"extendedInfo", inputs.extendedInfo},
        {"logLevel", static_cast<int>(inputs.logLevel)},
        {"logLimit", inputs.logLimit},
        {"logFormat", static_cast<int>(inputs.logFormat)},
        {"logBuffering", inputs.logBuffering},
        {"toSyslog", inputs.syslog.has_value()},
        {"syslogIdent", bytesOf(inputs.syslog ? inputs.syslog->ident : std::string())},
        {"syslogFacility", inputs.syslog ? inputs.syslog->facility : 0},
        {"masterPid", inputs.masterPid},
        {"ownsSockets", inputs.ownsSockets},
        {"stopTimeoutMs", inputs.stopTimeoutMs},
        {"terminateTimeoutMs", inputs.terminateTimeoutMs},
        {"sharesProcessMax", inputs.sharesProcessMax},
    };
    const auto packed = json::to_cbor(document);
    return {packed.begin(), packed.end()};
}

namespace {

/// What a program that knows less has not said is as usual.
json completed(const json& document) {
    const ManagerInputs usual;
    const std::string bytes = encodeInputs(usual);
    json whole = json::from_cbor(bytes.begin(), bytes.end());
    whole.update(document);
    return whole;
}

}  // namespace

Result<ManagerInputs> decodeInputs(const std::string& text, config::Writer writer) {
    // Our own master wrote this for a start, which a mismatch must end.
    try {
        json document = json::from_cbor(text.begin(), text.end());
        if (writer == config::Writer::otherProgram) {
            document = completed(document);
        }
        ManagerInputs inputs;
        auto pool = config::decodePool(textOf(document.at("pool")), writer);
        if (!pool) {
            return tl::make_unexpected(pool.error());
        }
        inputs.pool = std::move(*pool);
        document.at("dropPrivileges").get_to(inputs.dropPrivileges);
        document.at("uid").get_to(inputs.identity.uid);
        document.at("gid").get_to(inputs.identity.gid);
        inputs.identity.groupsOf = textOf(document.at("groupsOf"));
        inputs.identity.userName = textOf(document.at("userName"));
        inputs.identity.home = textOf(document.at("home"));
        if (const json& users = document.at("allowedUsers"); !users.is_null()) {
            users.get_to(inputs.allowedUsers.emplace());
        }
        inputs.titlePrefix = textOf(document.at("titlePrefix"));
        inputs.programName = textOf(document.at("programName"));
        inputs.iniPath = textOf(document.at("iniPath"));
        document.at("ignoreIni").get_to(inputs.ignoreIni);
        for (const json& pair : document.at("iniDefinitions")) {
            inputs.iniDefinitions.emplace_back(textOf(pair.at(0)), textOf(pair.at(1)));
        }
        document.at("extendedInfo").get_to(inputs.extendedInfo);
        inputs.logLevel = static_cast<LogLevel>(document.at("logLevel").get<int>());
        document.at("logLimit").get_to(inputs.logLimit);
        inputs.logFormat = static_cast<config::LogFormat>(document.at("logFormat").get<int>());
        document.at("logBuffering").get_to(inputs.logBuffering);
        if (document.at("toSyslog").get<bool>()) {
            inputs.syslog = {textOf(document.at("syslogIdent")),
                             document.at("syslogFacility").get<int>()};
        }
        document.at("masterPid").get_to(inputs.masterPid);
        document.at("ownsSockets").get_to(inputs.ownsSockets);
        document.at("stopTimeoutMs").get_to(inputs.stopTimeoutMs);
        document.at("terminateTimeoutMs").get_to(inputs.terminateTimeoutMs);
        document.at("sharesProcessMax").get_to(inputs.sharesProcessMax);
        return inputs;
    } catch (const json::exception& problem) {
        return plainError(std::string("unreadable settings from the master: ") + problem.what());
    }
}

}  // namespace muster::manager
