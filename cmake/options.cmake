# Warnings, hardening and sanitizers: one interface target that every room links.
add_library(muster_options INTERFACE)
target_compile_options(muster_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Wold-style-cast -Woverloaded-virtual -Wcast-qual -Wformat=2 -Wundef
  -fno-omit-frame-pointer -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 sees overlapping copies inside std::string's operator+ where there are none (GCC 105651).
  target_compile_options(muster_options INTERFACE -Wno-restrict)
endif()
if(MUSTER_WERROR)
  target_compile_options(muster_options INTERFACE -Werror)
endif()
target_include_directories(muster_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(muster_options INTERFACE _GNU_SOURCE MUSTER_VERSION="${PROJECT_VERSION}")
if(MUSTER_SANITIZE)
  target_compile_options(muster_options INTERFACE -fsanitize=${MUSTER_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(muster_options INTERFACE -fsanitize=${MUSTER_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_definitions(muster_options INTERFACE _FORTIFY_SOURCE=2)
  target_link_options(muster_options INTERFACE -Wl,-z,relro,-z,now)
endif()

if(MUSTER_FUZZ)
  target_compile_options(muster_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# muster_room(NAME SOURCES... LINKS...): one folder of src/ as one static library.
function(muster_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;LINKS" ${ARGN})
  add_library(muster_${name} STATIC ${ROOM_SOURCES})
  target_link_libraries(muster_${name} PUBLIC muster_options ${ROOM_LINKS})
endfunction()
