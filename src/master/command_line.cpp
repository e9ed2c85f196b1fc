// Short and long options, bundled, attached or separate.
#include "master/command_line.h"

#include <array>
#include <cctype>
#include <string_view>

namespace muster::master {
namespace {

struct Option {
    char letter;
    std::string_view name;
    bool takesValue;
};

constexpr std::array kOptions = {
    Option{'c', "php-ini", true},      Option{'n', "no-php-ini", false},
    Option{'d', "define", true},       Option{'e', "profile-info", false},
    Option{'h', "help", false},        Option{'?', "usage", false},
    Option{'i', "info", false},        Option{'m', "modules", false},
    Option{'v', "version", false},     Option{'y', "fpm-config", true},
    Option{'t', "test", false},        Option{'p', "prefix", true},
    Option{'g', "pid", true},          Option{'R', "allow-to-run-as-root", false},
    Option{'D', "daemonize", false},   Option{'F', "nodaemonize", false},
    Option{'O', "force-stderr", false}};

std::string baseName(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

/// php-fpm shows its name only when it was called by a path; monitoring compares its text.
std::string usageNameOf(const CommandLine& line, const std::string& argument) {
    const bool byPath = argument.find('/') != std::string::npos;
    return line.asPhpFpm() && !byPath ? "php" : line.programName;
}

/// The engine reads definitions as lines of an ini file, where a path or a sign needs quotes.
std::string iniText(const std::string& value) {
    const char first = value.empty() ? '\0' : value.front();
    const bool plain = first == '\0' || first == '"' || first == '\'' ||
                       std::isalnum(static_cast<unsigned char>(first)) != 0;
    return plain ? value : '"' + value + '"';
}

class Parser {
  public:
    explicit Parser(const std::vector<std::string>& arguments) : arguments_(arguments) {
        const std::string name = arguments.empty() ? "muster" : arguments[0];
        line_.programName = baseName(name);
        line_.usageName = usageNameOf(line_, name);
    }

    CommandLine parse() {
        while (!done_ && next_ < arguments_.size()) {
            const std::string& argument = arguments_[next_++];
            if (argument == "--") {
                break;
            }
            if (argument.size() > 2 && argument.compare(0, 2, "--") == 0) {
                parseLong(argument.substr(2));
            } else if (argument.size() > 1 && argument[0] == '-') {
                parseShort(argument);
            } else {
                --next_;
                break;
            }
        }
        if (!done_ && information_) {
            line_.action = Action::information;  // surplus arguments are not looked at
        } else if (!done_ && next_ < arguments_.size()) {
            fail("unexpected argument '" + arguments_[next_] + "'");
        }
        return line_;
    }

  private:
    void fail(const std::string& problem) {
        line_.action = Action::usageError;
        line_.problem = problem;
        done_ = true;
    }

    /// -h, -m and -v act when they are met: only what stands before them counts.
    void finish(Action action) {
        line_.action = action;
        done_ = true;
    }

    void parseLong(const std::string& text) {
        const std::size_t equals = text.find('=');
        const std::string name = text.substr(0, equals);
        for (const Option& option : kOptions) {
            if (option.name != name) {
                continue;
            }
            if (!option.takesValue) {
                return apply(option, "");
            }
            if (equals == std::string::npos) {
                return applySeparate(option);
            }
            // "--name=" is no value, "--name==" an empty one: php-fpm's rule, kept for its callers.
            const std::string value = text.substr(equals + 1);
            if (value.empty()) {
                return fail("option '--" + name + "' needs a value");
            }
            return apply(option, value[0] == '=' ? value.substr(1) : value);
        }
        fail("unknown option '--" + name + "'");
    }

    void parseShort(const std::string& argument) {
        for (std::size_t i = 1; i < argument.size() && !done_; ++i) {
            const Option* found = nullptr;
            for (const Option& option : kOptions) {
                found = option.letter == argument[i] ? &option : found;
            }
            if (found == nullptr) {
                return fail(std::string("unknown option '-") + argument[i] + "'");
            }
            if (!found->takesValue) {
                apply(*found, "");
                continue;
            }
            std::string value = argument.substr(i + 1);
            if (value.empty()) {
                return applySeparate(*found);
            }
            return apply(*found, value[0] == '=' ? value.substr(1) : value);
        }
    }

    void applySeparate(const Option& option) {
        if (next_ >= arguments_.size()) {
            return fail(std::string("option '-") + option.letter + "' needs a value");
        }
        apply(option, arguments_[next_++]);
    }

    void apply(const Option& option, const std::string& value) {
        switch (option.letter) {
            case 'c':
                line_.iniPath = value;
                break;
            case 'n':
                line_.ignoreIni = true;
                break;
            case 'd':
                define(value);
                break;
            case 'e':
                line_.extendedInfo = true;
                break;
            case 'h':
            case '?':
                finish(Action::usage);
                break;
            case 'i':
                information_ = true;
                break;
            case 'm':
                finish(Action::modules);
                break;
            case 'v':
                finish(Action::version);
                break;
            case 'y':
                line_.configFile = value;
                break;
            case 't':
                line_.dump = line_.action == Action::test;
                line_.action = Action::test;
                break;
            case 'p':
                line_.prefix = value;
                break;
            case 'g':
                line_.pidFile = value;
                break;
            case 'R':
                line_.allowRoot = true;
                break;
            case 'D':
                line_.daemonize = true;
                break;
            case 'F':
                line_.daemonize = false;
                break;
            case 'O':
                line_.forceStderr = true;
                break;
            default:
                fail(std::string("unknown option '-") + option.letter + "'");
        }
    }

    void define(const std::string& text) {
        const std::size_t equals = text.find('=');
        if (equals == std::string::npos) {
            line_.iniDefinitions.emplace_back(text, "1");
        } else {
            line_.iniDefinitions.emplace_back(text.substr(0, equals),
                                              iniText(text.substr(equals + 1)));
        }
    }

    const std::vector<std::string>& arguments_;
    std::size_t next_ = 1;
    bool done_ = false;
    bool information_ = false;  ///< -i, which acts when all options are read
    CommandLine line_;
};

}  // namespace

CommandLine parseCommandLine(const std::vector<std::string>& arguments) {
    return Parser(arguments).parse();
}

std::string usageText(const std::string& usageName) {
    return "Usage: " + usageName +
           " [-n] [-e] [-h] [-i] [-m] [-v] [-t] [-p <prefix>] [-g <pid>] [-c <file>] "
           "[-d foo[=bar]] [-y <file>] [-D] [-F [-O]]\n"
           R"(  -c <path>|<file> Look for php.ini file in this directory
  -n               No php.ini file will be used
  -d foo[=bar]     Define INI entry foo with value 'bar'
  -e               Generate extended information for debugger/profiler
  -h               This help
  -i               PHP information
  -m               Show compiled in modules
  -v               Version number
  -p, --prefix <dir>
                   Specify alternative prefix path to FastCGI process manager (default: /usr).
  -g, --pid <file>
                   Specify the PID file location.
  -y, --fpm-config <file>
                   Specify alternative path to FastCGI process manager config file.
  -t, --test       Test FPM configuration and exit
  -D, --daemonize  force to run in background, and ignore daemonize option from config file
  -F, --nodaemonize
                   force to stay in foreground, and ignore daemonize option from config file
  -O, --force-stderr
                   force output to stderr in nodaemonize even if stderr is not a TTY
  -R, --allow-to-run-as-root
                   Allow pool to run as root (disabled by default)
)";
}

}  // namespace muster::master
