# Writes OUTPUT: for every function of LIBRARIES that ARCHIVES call, a function of that name which jumps to the address in
# its record. The record first holds the address of a stub, which keeps the arguments where they are, asks
# SluiceResolveDelayed (src/base/delayed.cc) and jumps on; after that it holds the function itself. Nothing but a jump
# stands between caller and function, so any number of arguments goes through. Callers that pass more than integers,
# pointers and vectors of 16 bytes in registers do not exist in C without extensions.
#
#   cmake -DOUTPUT=… -DPROCESSOR=x86_64|aarch64 -DNM=… -DREADELF=… -DLIBRARIES=a|b -DARCHIVES=c|d -P write_trampolines.cmake

string(REPLACE "|" ";" LIBRARIES "${LIBRARIES}")
string(REPLACE "|" ";" ARCHIVES "${ARCHIVES}")

# What a symbol is, from nm: a name in C of one of the kinds of data, or a function.
set(pattern " [A-Za-z] [A-Za-z][A-Za-z0-9_]*[@\n]")

function(run out)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE text ERROR_QUIET RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "trampolines: this failed (${failed}): ${ARGN}")
  endif()
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

run(undefined ${NM} -u ${ARCHIVES})
string(REGEX MATCHALL " U [A-Za-z][A-Za-z0-9_]*\n" undefined "${undefined}")
list(REMOVE_DUPLICATES undefined)
list(SORT undefined)

if(PROCESSOR STREQUAL "x86_64")
  set(stub_text [[
    .p2align 4
@NAME@:
    jmp *.Lrecord_@NAME@+16(%rip)
.Lfirst_@NAME@:
    leaq .Lrecord_@NAME@(%rip), %r11
    jmp .Lresolve
]])
  # At the entry the stack is 8 off the 16 that calls keep. rax holds the number of vectors where arguments vary.
  set(resolve_text [[
    .type .Lresolve, @function
.Lresolve:
    .cfi_startproc
    pushq %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    movq %rsp, %rbp
    .cfi_def_cfa_register %rbp
    subq $192, %rsp
    movq %rax, -8(%rbp)
    movq %rdi, -16(%rbp)
    movq %rsi, -24(%rbp)
    movq %rdx, -32(%rbp)
    movq %rcx, -40(%rbp)
    movq %r8, -48(%rbp)
    movq %r9, -56(%rbp)
    movups %xmm0, -80(%rbp)
    movups %xmm1, -96(%rbp)
    movups %xmm2, -112(%rbp)
    movups %xmm3, -128(%rbp)
    movups %xmm4, -144(%rbp)
    movups %xmm5, -160(%rbp)
    movups %xmm6, -176(%rbp)
    movups %xmm7, -192(%rbp)
    movq %r11, %rdi
    call SluiceResolveDelayed
    movq %rax, %r11
    movq -8(%rbp), %rax
    movq -16(%rbp), %rdi
    movq -24(%rbp), %rsi
    movq -32(%rbp), %rdx
    movq -40(%rbp), %rcx
    movq -48(%rbp), %r8
    movq -56(%rbp), %r9
    movups -80(%rbp), %xmm0
    movups -96(%rbp), %xmm1
    movups -112(%rbp), %xmm2
    movups -128(%rbp), %xmm3
    movups -144(%rbp), %xmm4
    movups -160(%rbp), %xmm5
    movups -176(%rbp), %xmm6
    movups -192(%rbp), %xmm7
    leave
    .cfi_def_cfa %rsp, 8
    jmp *%r11
    .cfi_endproc
]])
elseif(PROCESSOR STREQUAL "aarch64")
  set(stub_text [[
    .p2align 2
@NAME@:
    hint #34
    adrp x16, .Lrecord_@NAME@+16
    ldr x16, [x16, :lo12:.Lrecord_@NAME@+16]
    br x16
.Lfirst_@NAME@:
    hint #34
    adrp x17, .Lrecord_@NAME@
    add x17, x17, :lo12:.Lrecord_@NAME@
    b .Lresolve
]])
  # x8 is where a result in memory goes.
  set(resolve_text [[
    .type .Lresolve, @function
.Lresolve:
    .cfi_startproc
    stp x29, x30, [sp, #-224]!
    .cfi_def_cfa_offset 224
    .cfi_offset 29, -224
    .cfi_offset 30, -216
    mov x29, sp
    stp x0, x1, [sp, #16]
    stp x2, x3, [sp, #32]
    stp x4, x5, [sp, #48]
    stp x6, x7, [sp, #64]
    str x8, [sp, #80]
    stp q0, q1, [sp, #96]
    stp q2, q3, [sp, #128]
    stp q4, q5, [sp, #160]
    stp q6, q7, [sp, #192]
    mov x0, x17
    bl SluiceResolveDelayed
    mov x16, x0
    ldp x0, x1, [sp, #16]
    ldp x2, x3, [sp, #32]
    ldp x4, x5, [sp, #48]
    ldp x6, x7, [sp, #64]
    ldr x8, [sp, #80]
    ldp q0, q1, [sp, #96]
    ldp q2, q3, [sp, #128]
    ldp q4, q5, [sp, #160]
    ldp q6, q7, [sp, #192]
    ldp x29, x30, [sp], #224
    .cfi_restore 29
    .cfi_restore 30
    .cfi_def_cfa_offset 0
    br x16
    .cfi_endproc
]])
else()
  message(FATAL_ERROR "trampolines: '${PROCESSOR}' is not known; valid are x86_64 and aarch64, or -DSLUICE_DELAY_LOAD=OFF")
endif()

set(code "")
set(records "")
set(libraries "")
set(count 0)
foreach(library ${LIBRARIES})
  run(dynamic ${READELF} -d ${library})
  if(NOT dynamic MATCHES "\\(SONAME\\)[^[]*\\[([^]]+)\\]")
    message(FATAL_ERROR "trampolines: ${library} has no SONAME")
  endif()
  set(soname ${CMAKE_MATCH_1})
  string(REGEX REPLACE "\\.so.*" "" name ${soname})
  # The package, for who has not got it: libpq5:amd64: /usr/lib/x86_64-linux-gnu/libpq.so.5.15
  file(REAL_PATH ${library} path)
  execute_process(COMMAND dpkg-query -S ${path} OUTPUT_VARIABLE package ERROR_QUIET RESULT_VARIABLE unknown)
  string(REGEX REPLACE ":.*" "" package "${package}")
  string(APPEND libraries "    .quad .Lname_${count}, .Lsoname_${count}, .Lpackage_${count}\n")
  string(APPEND texts ".Lname_${count}: .asciz \"${name}\"\n.Lsoname_${count}: .asciz \"${soname}\"\n"
                      ".Lpackage_${count}: .asciz \"${package}\"\n")

  run(defined ${NM} -D --defined-only ${library})
  string(REGEX MATCHALL "${pattern}" defined "${defined}")
  foreach(symbol ${defined})
    string(REGEX MATCH "^ ([A-Za-z]) ([A-Za-z0-9_]+)" whole "${symbol}")
    set(kind_of_${CMAKE_MATCH_2}_in_${count} ${CMAKE_MATCH_1})
  endforeach()
  foreach(symbol ${undefined})
    string(REGEX MATCH "^ U ([A-Za-z0-9_]+)" whole "${symbol}")
    set(symbol ${CMAKE_MATCH_1})
    if(NOT DEFINED kind_of_${symbol}_in_${count})
      continue()
    endif()
    if(NOT kind_of_${symbol}_in_${count} MATCHES "^[TWi]$")
      message(FATAL_ERROR "trampolines: '${symbol}' of ${soname} is data, which cannot be opened later: leave it unused, "
                          "or take the library out of SLUICE_DELAYED in cmake/delayed.cmake")
    endif()
    if(DEFINED taken_${symbol})
      continue()
    endif()
    set(taken_${symbol} ON)
    string(REPLACE "@NAME@" ${symbol} stub "${stub_text}")
    string(APPEND code "    .globl ${symbol}\n    .hidden ${symbol}\n    .type ${symbol}, %function\n${stub}"
                       "    .size ${symbol}, .-${symbol}\n")
    string(APPEND records ".Lrecord_${symbol}: .quad .Ltext_${symbol}, SluiceDelayedLibraries+${count}*24, .Lfirst_${symbol}\n")
    string(APPEND texts ".Ltext_${symbol}: .asciz \"${symbol}\"\n")
  endforeach()
  math(EXPR count "${count} + 1")
endforeach()

file(WRITE ${OUTPUT}.new "/* Written by cmake/write_trampolines.cmake. */
    .text
${resolve_text}${code}
    .data
    .p2align 3
${records}
    .section .data.rel.ro,\"aw\"
    .p2align 3
    .globl SluiceDelayedLibraries
    .hidden SluiceDelayedLibraries
SluiceDelayedLibraries:
${libraries}    .quad 0, 0, 0
    .section .rodata
${texts}
    .section .note.GNU-stack,\"\",%progbits
")
file(COPY_FILE ${OUTPUT}.new ${OUTPUT} ONLY_IF_DIFFERENT)
