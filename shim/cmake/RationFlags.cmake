# Compiler settings that every target shares: link to `ration_flags`.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

# Dev: quick to compile and pleasant to debug, yet optimised enough for the storm tests.
set(CMAKE_C_FLAGS_DEV "-O1 -g1 -fno-omit-frame-pointer")
set(CMAKE_CXX_FLAGS_DEV "-O1 -g1 -fno-omit-frame-pointer")

add_library(ration_flags INTERFACE)
target_include_directories(ration_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(ration_flags INTERFACE
    -Wall -Wextra -Wshadow -Wcast-align -Wunused
    $<$<COMPILE_LANGUAGE:CXX>:-Wpedantic -Wnon-virtual-dtor>
    $<$<BOOL:${RATION_WERROR}>:-Werror>)
target_compile_definitions(ration_flags INTERFACE
    _GNU_SOURCE RATION_VERSION="${PROJECT_VERSION}")

# Sanitizers go to everything but libration.so: a preloaded object may not depend on a runtime.
# Without `vptr`: that check opens a pipe to see whether memory is readable, so in a process that has
# no descriptor left it reports what is not true.
add_library(ration_sanitize INTERFACE)
if(RATION_SANITIZE)
    target_compile_options(ration_sanitize INTERFACE
        -fsanitize=${RATION_SANITIZE} -fno-sanitize-recover=all -fno-sanitize=vptr
        -fno-omit-frame-pointer)
    target_link_options(ration_sanitize INTERFACE -fsanitize=${RATION_SANITIZE})
endif()
