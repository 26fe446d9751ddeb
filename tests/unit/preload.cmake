ration_unit_test(preload_test
    SOURCES
        ${PROJECT_SOURCE_DIR}/shim/preload/elf_object.cpp
        preload_elf_object_test.cpp
        preload_rows_test.cpp
    LIBRARIES cuda_headers ${CMAKE_DL_LIBS})
