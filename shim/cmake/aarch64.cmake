# Toolchain file: Debian's and Ubuntu's cross compiler; tests run under qemu-user.
#
# What is built: libration.so, the engine, the simulated driver and their tests. Not the `ration`
# command, which needs libelf for the machine that is built for.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)

# Libraries that are headers alone serve every machine. They are reached through links, because
# /usr/include also holds the headers of this machine's libc.
set(host_headers ${CMAKE_BINARY_DIR}/host-headers)
foreach(library IN ITEMS toml++ fmt)
    if(EXISTS /usr/include/${library} AND NOT EXISTS ${host_headers}/${library})
        file(MAKE_DIRECTORY ${host_headers})
        file(CREATE_LINK /usr/include/${library} ${host_headers}/${library} SYMBOLIC)
    endif()
endforeach()
set(RATION_TOMLPLUSPLUS ${host_headers} CACHE PATH "Folder that holds toml++")
