# octavo_folder(NAME [LINKS targets...]): one folder of src/ = one static library `octavo_<name>`, its unit tests
# (`*_test.cc`) one executable `<name>_test`, its benches (`*_bench.cc`) one executable `<name>_bench`. The list of
# linked folders is the list of allowed includes; tools/check_layers holds the sources to it.
add_library(octavo_options INTERFACE)
target_include_directories(octavo_options INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(octavo_options INTERFACE OCTAVO_VERSION="${PROJECT_VERSION}")
target_compile_options(octavo_options INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Werror=return-type)
if(DEFINED OCTAVO_SANITIZE)
  target_compile_options(octavo_options INTERFACE -fsanitize=${OCTAVO_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(octavo_options INTERFACE -fsanitize=${OCTAVO_SANITIZE})
endif()
if(OCTAVO_FUZZ)
  target_compile_options(octavo_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# A source file named x86_<isa>.cc (or x86_<isa>_*.cc) is compiled for that instruction set and only that file is; on
# other architectures the preprocessor leaves its contents out. In kernels the compiler must not fuse a * b + c on its
# own: a tail and a body would round differently.
set(OCTAVO_ISA_avx2 -ffp-contract=off -mavx2 -mfma -mf16c)
set(OCTAVO_ISA_avx512 ${OCTAVO_ISA_avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512cd -mprefer-vector-width=512)

function(octavo_isa_flags)
  foreach(source ${ARGN})
    get_filename_component(name ${source} NAME_WE)
    if(name MATCHES "^portable")
      set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "-ffp-contract=off")
    elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$" AND name MATCHES "^x86_(avx2|avx512)")
      set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${OCTAVO_ISA_${CMAKE_MATCH_1}}")
    endif()
  endforeach()
endfunction()

function(octavo_folder name)
  cmake_parse_arguments(ARG "" "" "LINKS" ${ARGN})
  string(REPLACE "/" "_" target ${name})
  set(folder ${PROJECT_SOURCE_DIR}/src/${name})
  file(GLOB_RECURSE all CONFIGURE_DEPENDS ${folder}/*.cc)
  set(tests ${all})
  set(benches ${all})
  set(sources ${all})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_(test|bench)\\.cc$")
  octavo_isa_flags(${sources})
  if(NOT sources)
    add_library(octavo_${target} INTERFACE)
    target_link_libraries(octavo_${target} INTERFACE octavo_options ${ARG_LINKS})
    return()
  endif()
  add_library(octavo_${target} STATIC ${sources})
  target_link_libraries(octavo_${target} PUBLIC octavo_options ${ARG_LINKS})
  if(OCTAVO_TESTS AND tests)
    add_executable(${target}_test ${tests})
    target_link_libraries(${target}_test PRIVATE octavo_${target} GTest::gtest_main)
    octavo_register_tests(${target}_test)
  endif()
  if(OCTAVO_BENCHES AND benches)
    add_executable(${target}_bench ${benches})
    target_link_libraries(${target}_bench PRIVATE octavo_${target} benchmark::benchmark_main)
  endif()
endfunction()

# octavo_register_tests(TARGET [LABELS labels...]): every gtest case a ctest case, run in the repository root.
function(octavo_register_tests target)
  cmake_parse_arguments(ARG "" "" "LABELS" ${ARGN})
  set(properties TIMEOUT 600)
  if(ARG_LABELS)  # an empty value would make the next property's name the label
    # gtest_discover_tests unpacks lists at every level that it passes them through
    string(REPLACE ";" "\\\\\\\\\\\\\\\\;" labels "${ARG_LABELS}")
    list(APPEND properties LABELS "${labels}")
  endif()
  gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    PROPERTIES ${properties})
endfunction()
