# Libraries, all from Debian's packages (scripts/lib/packages.sh installs them).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tl-expected REQUIRED)
find_package(CLI11 REQUIRED)
pkg_check_modules(LIBEVENT REQUIRED IMPORTED_TARGET libevent_core)
pkg_check_modules(INIH REQUIRED IMPORTED_TARGET inih)
pkg_check_modules(ACL REQUIRED IMPORTED_TARGET libacl)
pkg_check_modules(CAP REQUIRED IMPORTED_TARGET libcap)
pkg_check_modules(APPARMOR REQUIRED IMPORTED_TARGET libapparmor)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)

# PHP's headers and the embeddable library, for the PHP runtime plugin.
find_program(PHP_CONFIG NAMES php-config8.2 php-config REQUIRED)
execute_process(COMMAND ${PHP_CONFIG} --include-dir OUTPUT_VARIABLE PHP_INCLUDE_DIR
                OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${PHP_CONFIG} --version OUTPUT_VARIABLE PHP_FULL_VERSION
                OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCH "^[0-9]+\\.[0-9]+" PHP_VERSION ${PHP_FULL_VERSION})
find_library(PHP_LIBRARY NAMES php${PHP_VERSION} libphp${PHP_VERSION}.so php REQUIRED)
add_library(php_embed INTERFACE)
target_include_directories(php_embed SYSTEM INTERFACE
  ${PHP_INCLUDE_DIR} ${PHP_INCLUDE_DIR}/main ${PHP_INCLUDE_DIR}/TSRM ${PHP_INCLUDE_DIR}/Zend
  ${PHP_INCLUDE_DIR}/ext ${PHP_INCLUDE_DIR}/ext/date/lib)
target_link_libraries(php_embed INTERFACE ${PHP_LIBRARY})
target_compile_definitions(php_embed INTERFACE MUSTER_PHP_VERSION="${PHP_VERSION}")
