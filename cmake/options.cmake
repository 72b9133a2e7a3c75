# Compiler settings that every target of ours shares.
add_library(runvm_options INTERFACE)
target_compile_options(runvm_options INTERFACE -Wall -Wextra -Wshadow -Werror=return-type
    -fstack-protector-strong
    # False alarms of gcc 12 and 13 in kj::Maybe under -O2 (gcc bug 105562 and its kin).
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
target_include_directories(runvm_options INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_BINARY_DIR}/generated)
target_compile_definitions(runvm_options INTERFACE _GNU_SOURCE RUNVM_VERSION="${PROJECT_VERSION}")
if(RUNVM_SANITIZE)
    # What UBSan finds fails the run, as with the other sanitizers. It looks at vptrs through a pipe, and takes an object
    # for none when no descriptor is free, which tests and fuzz targets bring about.
    target_compile_options(runvm_options INTERFACE -fsanitize=${RUNVM_SANITIZE} -fno-sanitize-recover=all
        -fno-sanitize=vptr -fno-omit-frame-pointer)
    target_link_options(runvm_options INTERFACE -fsanitize=${RUNVM_SANITIZE})
else()
    target_compile_definitions(runvm_options INTERFACE $<$<CONFIG:RelWithDebInfo>:_FORTIFY_SOURCE=2>)
endif()
if(RUNVM_FUZZ)
    target_compile_options(runvm_options INTERFACE -fsanitize=fuzzer-no-link
        -fsanitize-coverage-ignorelist=${CMAKE_SOURCE_DIR}/tests/fuzz/coverage_ignored.txt)
endif()
if(RUNVM_COVERAGE)
    target_compile_options(runvm_options INTERFACE --coverage)
    target_link_options(runvm_options INTERFACE --coverage)
endif()

# runvm_library(NAME [LIBS ...]): a static library of all .cpp files of the current source folder.
function(runvm_library name)
    cmake_parse_arguments(ARG "" "" "LIBS" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
    if(sources)
        add_library(${name} STATIC ${sources})
        target_link_libraries(${name} PUBLIC runvm_options ${ARG_LIBS})
    else()
        add_library(${name} INTERFACE)
        target_link_libraries(${name} INTERFACE runvm_options ${ARG_LIBS})
    endif()
endfunction()
