"""What the scripts beside this folder share when they are run one by one."""

import argparse


def main(module_doc, scenario):
    """Runs one scenario and prints its figures as they come."""
    parser = argparse.ArgumentParser(description=module_doc,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it work at all?")
    parser.add_argument("--full", action="store_true", help="the largest sizes as well")
    arguments = parser.parse_args()
    for figure in scenario(arguments):
        print(figure.text(), flush=True)
