# ration_libc_floor(TARGET GLIBC_2.28): makes the shared library TARGET start on that glibc, whatever the
# one of the build machine, with libstdc++ and libgcc inside. It is linked against stand-ins for libc.so.6
# and libm.so.6 that know nothing newer (stub_libc.py), and brings private versions of what libstdc++ and
# libgcc themselves want from a newer one. A link error that names a libc function means that it is newer
# than the floor: use another, or add it to shim/cmake/libc_floor.
#
# Everything that the calling folder links gets these libraries: it may link TARGET alone.
#
# Does nothing under the sanitizers: their runtimes want the libc that they were built for.
set(RATION_LIBC_FLOOR_DIR ${CMAKE_CURRENT_LIST_DIR}/libc_floor)

function(ration_compiler_file name out)
    execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=${name}
        OUTPUT_VARIABLE path OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    if(NOT IS_ABSOLUTE "${path}")
        message(FATAL_ERROR "${CMAKE_CXX_COMPILER} has no ${name}: install g++")
    endif()
    set(${out} ${path} PARENT_SCOPE)
endfunction()

# Builds the stand-in for `soname` below `folder`; one without a library behind it is empty.
function(ration_libc_stub soname library floor folder)
    set(source ${folder}/${soname}.S)
    set(map ${folder}/${soname}.map)
    set(script ${RATION_LIBC_FLOOR_DIR}/stub_libc.py)
    if(library)
        add_custom_command(OUTPUT ${source} ${map} VERBATIM DEPENDS ${script} ${library}
            COMMAND ${Python3_EXECUTABLE} -B ${script} ${CMAKE_READELF} ${library} ${floor} ${source} ${map})
        set(versions -Wl,--version-script=${map})
    else()
        file(CONFIGURE OUTPUT ${source} CONTENT ".section .note.GNU-stack, \"\", %progbits\n")
        set(versions "")
    endif()
    add_custom_command(OUTPUT ${folder}/${soname} VERBATIM DEPENDS ${source}
        COMMAND ${CMAKE_C_COMPILER} -shared -nostdlib -Wl,-soname,${soname} ${versions}
                -o ${folder}/${soname} ${source})
endfunction()

# The stand-ins and the private functions, made once a floor.
function(ration_libc_floor_parts floor)
    set(folder ${CMAKE_BINARY_DIR}/libc-floor/${floor})
    file(MAKE_DIRECTORY ${folder})
    find_package(Python3 REQUIRED COMPONENTS Interpreter)
    ration_compiler_file(libc.so.6 libc)
    ration_compiler_file(libm.so.6 libm)
    ration_libc_stub(libc.so.6 ${libc} ${floor} ${folder})
    ration_libc_stub(libm.so.6 ${libm} ${floor} ${folder})
    # Before glibc 2.34 these held dlsym, pthread_once and others. The versions of those symbols are
    # found in whichever library has them, as long as it is loaded.
    ration_libc_stub(libdl.so.2 "" ${floor} ${folder})
    ration_libc_stub(libpthread.so.0 "" ${floor} ${folder})
    set(sonames libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0)
    list(TRANSFORM sonames PREPEND ${folder}/ OUTPUT_VARIABLE stubs)
    add_custom_target(ration_libc_stubs DEPENDS ${stubs})

    set(sources eh_globals.c c23.c find_object.c random.c single_threaded.c stat.c)
    list(TRANSFORM sources PREPEND ${RATION_LIBC_FLOOR_DIR}/)
    add_library(ration_libc_floor_shims STATIC ${sources})
    # -fno-builtin: the functions here are to be what their names say. Compiled without _GNU_SOURCE, so
    # that no header renames them.
    target_compile_options(ration_libc_floor_shims PRIVATE
        -O2 -Wall -Wextra -fvisibility=hidden -fno-builtin -fno-stack-protector
        -U_FORTIFY_SOURCE $<$<BOOL:${RATION_WERROR}>:-Werror>)
endfunction()

function(ration_libc_floor target floor)
    if(RATION_SANITIZE)
        return()
    endif()
    if(NOT TARGET ration_libc_stubs)
        ration_libc_floor_parts(${floor})
    endif()
    set(folder ${CMAKE_BINARY_DIR}/libc-floor/${floor})
    foreach(archive IN ITEMS libstdc++.a libgcc.a libgcc_eh.a libc_nonshared.a)
        ration_compiler_file(${archive} path)
        list(APPEND archives ${path})
    endforeach()
    get_property(binary_dir TARGET ration_libc_floor_shims PROPERTY BINARY_DIR)
    set(shims ${binary_dir}/libration_libc_floor_shims.a)
    add_dependencies(${target} ration_libc_stubs ration_libc_floor_shims)
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${shims}
        ${folder}/libc.so.6 ${folder}/libm.so.6 ${folder}/libdl.so.2 ${folder}/libpthread.so.0)
    # -u: our eh_globals is taken at once, so that libstdc++'s own never is.
    target_link_options(${target} PRIVATE -nodefaultlibs LINKER:-u,__cxa_get_globals)
    # The one place that comes after all static libraries of the target, and theirs. -Wl, because CMake
    # would make -lc of a libc.so.6.
    list(JOIN archives " " archives)
    string(CONCAT libraries
        "-Wl,--start-group ${shims} ${archives} -Wl,--end-group "
        "-Wl,--as-needed,${folder}/libm.so.6,${folder}/libc.so.6 "
        "-Wl,--no-as-needed,${folder}/libdl.so.2,${folder}/libpthread.so.0")
    set(CMAKE_CXX_STANDARD_LIBRARIES "${libraries}" PARENT_SCOPE)
endfunction()
