# What others write and ration reads: records of other users, variables, programs.
function(ration_fuzz_sources variable)
    list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/)
    ration_fuzz_objects(objects ${ARGN})
    set(${variable} ${objects} PARENT_SCOPE)
endfunction()

ration_fuzz_sources(slot_objects shim/state/layout.cpp shim/state/printable.cpp)
ration_fuzz_target(state_slot_fuzz OBJECTS ${slot_objects} RUNS 100000
    CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/slot)

ration_fuzz_sources(device_objects shim/cuda/visible.cpp shim/cuda/memory_limit.cpp
    shim/amd/cu_mask.cpp shim/amd/mask_variables.cpp shim/amd/visible.cpp shim/host/device_list.cpp)
ration_fuzz_target(device_variables_fuzz OBJECTS ${device_objects} ${policy_objects} RUNS 100000
    CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/devices)

# Small programs to begin with, made here by the linker.
set(seeds ${CMAKE_CURRENT_BINARY_DIR}/elf)
file(MAKE_DIRECTORY ${seeds})
set(seed ${CMAKE_CURRENT_SOURCE_DIR}/elf_seed.c)
set(small -nostdlib -s -Wl,-z,noseparate-code -Wl,--build-id=none)
add_custom_command(OUTPUT ${seeds}/shared ${seeds}/program ${seeds}/static ${seeds}/object
    COMMAND ${CMAKE_C_COMPILER} ${small} -shared -fPIC -Wl,-soname,libseed.so.1 ${seed} -o ${seeds}/shared
    COMMAND ${CMAKE_C_COMPILER} ${small} -pie -fPIE ${seed} ${seeds}/shared -o ${seeds}/program
    COMMAND ${CMAKE_C_COMPILER} ${small} -static ${seed} -o ${seeds}/static
    COMMAND ${CMAKE_C_COMPILER} -c ${seed} -o ${seeds}/object
    DEPENDS ${seed} COMMENT "Linking programs to fuzz from" VERBATIM)
add_custom_target(elf_seeds DEPENDS ${seeds}/shared ${seeds}/program ${seeds}/static ${seeds}/object)
ration_fuzz_sources(elf_objects shim/host/file.cpp tools/ration/elf.cpp tools/ration/env_line.cpp
    tools/ration/failure.cpp tools/ration/program.cpp)
ration_fuzz_target(elf_fuzz OBJECTS ${elf_objects} RUNS 20000 LIBRARIES -lelf
    CORPUS ${seeds} ${CMAKE_CURRENT_SOURCE_DIR}/script)
add_dependencies(elf_fuzz elf_seeds)
