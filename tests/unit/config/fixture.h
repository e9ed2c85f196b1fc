// Files of a test's own, and reading them: shared by the tests of this room.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "config/configuration.h"

namespace muster::config::test {

/// A directory that is gone with the test.
class Files : public ::testing::Test {
  protected:
    Files() {
        std::string pattern = (std::filesystem::temp_directory_path() / "config-XXXXXX").string();
        root_ = ::mkdtemp(pattern.data());
    }
    ~Files() override {
        std::error_code ignored;
        std::filesystem::remove_all(root_, ignored);
    }

    [[nodiscard]] std::string path(const std::string& name) const { return root_ + "/" + name; }

    std::string write(const std::string& name, const std::string& content) const {
        std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
        std::ofstream(path(name), std::ios::binary) << content;
        return path(name);
    }

    /// Reads `content` as the main file, named "m.conf". Not as root unless `options` say so.
    ReadOutcome read(const std::string& content, ReadOptions options = {}) const {
        options.file = write("m.conf", content);
        return readConfiguration(options);
    }

    /// A message's text with the test's directory cut out of it.
    [[nodiscard]] std::string relative(std::string text) const {
        for (std::size_t at = text.find(root_ + "/"); at != std::string::npos;
             at = text.find(root_ + "/")) {
            text.erase(at, root_.size() + 1);
        }
        return text;
    }

    /// "LEVEL: text" of every message, and " | detail" when there is one.
    [[nodiscard]] std::vector<std::string> lines(const ReadOutcome& outcome) const {
        std::vector<std::string> result;
        for (const Message& message : outcome.messages) {
            std::string line = std::string(logLevelName(message.level)) + ": " + message.text;
            line += message.detail.empty() ? "" : " | " + message.detail;
            result.push_back(relative(line));
        }
        return result;
    }

    struct Rule {
        std::string content;
        std::string message;  ///< the only one
    };
    /// Each row's content is read whole and refused by a check, with this one message.
    void expectRefused(const std::vector<Rule>& rows, const ReadOptions& options = {}) const {
        for (const Rule& row : rows) {
            const auto outcome = read(row.content, options);
            EXPECT_THAT(lines(outcome), ::testing::ElementsAre(row.message)) << row.content;
            EXPECT_FALSE(outcome.valid) << row.content;
            EXPECT_TRUE(outcome.parsed) << row.content;
        }
    }

  private:
    std::string root_;
};

/// A pool that is valid, to add lines to.
inline const std::string kPool = "[www]\nlisten = 9000\npm = static\npm.max_children = 2\n";

inline std::string contentOf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream content;
    content << file.rdbuf();
    return content.str();
}

}  // namespace muster::config::test
