// The command line: parses what was typed, runs the subcommand, prints its error, gives the exit
// code.
#pragma once

namespace sluice {

int Main(int argc, char** argv);

}  // namespace sluice
