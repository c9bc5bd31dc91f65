# toolchain.cmake - freestanding x86_64 with Debian's gcc (or clang) and nasm.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
if(NOT CMAKE_C_COMPILER)
    set(CMAKE_C_COMPILER gcc)
endif()
set(CMAKE_ASM_NASM_COMPILER nasm)
set(CMAKE_ASM_NASM_OBJECT_FORMAT elf64)
# CMake's own trial programs cannot be linked without a C library.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
