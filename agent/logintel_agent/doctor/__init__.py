"""The rotation doctor: replays the host's logrotate rule for a log against this agent, and says what would be lost.

rule         what logrotate would do with a log
directives   the directives of logrotate.conf(5) and what each changes in a rule
logrotate    logrotate's configuration files to rules
scripts      what a rule's script does to the writer, told from its text
reader       which source of the agent reads the log
rotation     one rotation, step by step, in a scratch directory
compression  what a compressed file holds
scratch      the scratch directory, and what is in which of its files
writer       the program that writes numbered lines
counting     the bus that counts which of them arrive
trial        writer, rotation and agent together
findings     what is wrong, and the fix
report       all of it, for a person or as JSON
"""
