// The entry: everything is wired in cli.cc.
#include "main/cli.h"

int main(int argc, char** argv) { return sluice::Main(argc, argv); }
